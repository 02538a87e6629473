//! ServiceMonitor: where Prometheus scrapes the application's own metrics.

use idp_core::{Child, labels};
use serde_json::json;

use crate::{kinds, validate::Validated};

/// One endpoint, by the name of the Service's port. The mesh's metrics are not included: they are the same for every
/// application, so the platform collects them (one PodMonitor for all sidecars). [`super::traffic::scrape`] explains
/// scraping with strict mTLS.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let Some((metrics, port)) = &app.metrics else {
        return Vec::new();
    };
    let mut metadata = app.child_meta(&app.name);
    metadata
        .labels
        .get_or_insert_default()
        .extend(app.monitoring.labels.clone());
    let spec = json!({
        "selector": {"matchLabels": labels::every_pod(&app.name)},
        // If a pod returns more samples, the scrape fails, so that Prometheus does not.
        "sampleLimit": app.samples,
        "endpoints": [{"port": port.name, "path": metrics.path, "interval": metrics.interval}],
    });
    vec![Child::with_spec(kinds::SERVICE_MONITOR, &metadata, spec)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, metrics, only_spec, port};

    #[test]
    fn selects_the_service_and_is_selected_by_prometheus() {
        let mut app = app();
        assert!(children(&app).is_empty());
        app.metrics = Some(metrics(port("metrics", 9090)));
        app.monitoring.labels = [("release".to_owned(), "prometheus".to_owned())].into();
        let children = children(&app);
        let spec = only_spec(&children);
        assert_eq!(
            spec["selector"]["matchLabels"],
            json!({"idp.dev/application": "shop"})
        );
        assert_eq!(
            spec["endpoints"],
            json!([{"port": "metrics", "path": "/metrics"}])
        );
        let labels = &children[0].object["metadata"]["labels"];
        assert_eq!(
            (&labels["release"], &labels["idp.dev/application"]),
            (&json!("prometheus"), &json!("shop"))
        );
    }
}
