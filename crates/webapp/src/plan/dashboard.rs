//! The application's Grafana dashboard, in a ConfigMap that Grafana's sidecar selects by its label.

use idp_api::environment::MeshMode;
use idp_core::{Child, hash};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::{prometheus_rule, telemetry};
use crate::{
    kinds,
    validate::{ValidObjective, Validated},
};

/// Grafana's variable for a rate interval that fits the panel's width and the scrape interval.
const INTERVAL: &str = "$__rate_interval";
/// Width of a dashboard, in Grafana's units.
const WIDTH: usize = 24;
/// Height of a panel, in the same units.
const HEIGHT: usize = 8;

/// A dashboard, if both the application and the Environment enable it.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if !app.dashboard || !app.monitoring.dashboards {
        return Vec::new();
    }
    let mut metadata = app.child_meta(format!("{}-dashboard", app.name));
    metadata
        .labels
        .get_or_insert_default()
        .insert("grafana_dashboard".to_owned(), "1".to_owned());
    // The sidecar writes the files of all namespaces to one folder, so the file name must be unique too.
    let file = format!("{}.json", uid(app));
    let config_map = ConfigMap {
        data: Some([(file, dashboard(app).to_string())].into()),
        ..ConfigMap::default()
    };
    vec![Child::typed(kinds::CONFIG_MAP, &metadata, &config_map)]
}

/// Grafana's identifier. It is part of links, so it never changes; at most 40 characters.
fn uid(app: &Validated) -> String {
    format!("idp-{}", hash::text(&format!("{}/{}", app.namespace, app.name)))
}

fn dashboard(app: &Validated) -> Value {
    let mut rows = Vec::new();
    // Without sidecars only the gateway counts requests (see `telemetry::matchers`).
    if app.mesh.mode == MeshMode::Sidecar || !app.routes.is_empty() {
        rows.push(("Requests", requests(app)));
    }
    if !app.objectives.is_empty() && app.monitoring.prometheus_operator {
        rows.push((
            "Objectives",
            app.objectives
                .iter()
                .map(|promise| budget(app, promise))
                .collect(),
        ));
    }
    rows.push(("Pods", pods(app)));
    json!({
        "uid": uid(app),
        "title": format!("{} / {}", app.namespace, app.name),
        "tags": ["idp", app.namespace, app.name],
        "schemaVersion": 39,
        "editable": false,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]},
        "panels": layout(rows),
    })
}

/// Requests, errors and latency.
fn requests(app: &Validated) -> Vec<Panel> {
    let matchers = telemetry::matchers(app);
    let by_code = format!("sum by (response_code) (rate(istio_requests_total{{{matchers}}}[{INTERVAL}]))");
    let error_ratio = format!(
        "{} / ({} > 0)",
        telemetry::errors(app, INTERVAL),
        telemetry::requests(app, INTERVAL)
    );
    let quantile = |share: &str| telemetry::quantile(app, share, INTERVAL);
    vec![
        Panel::new("Requests by code", "reqps").show("{{response_code}}", by_code),
        Panel::new("Server errors", "percentunit").show("errors", error_ratio),
        Panel::new("Latency", "ms")
            .show("p50", quantile("0.5"))
            .show("p95", quantile("0.95"))
            .show("p99", quantile("0.99")),
    ]
}

/// The remaining error budget of an objective: 1 when unused, 0 when used up, negative when the objective is missed.
fn budget(app: &Validated, objective: &ValidObjective) -> Panel {
    let (name, days) = (&objective.spec.name, objective.spec.window_days);
    let series = prometheus_rule::recorded(app, name);
    let over = |metric: &str| format!("sum_over_time(idp:objective_{metric}:rate5m{series}[{days}d])");
    let allowed = telemetry::number(1.0 - objective.target);
    let left = format!("1 - {} / ({} > 0) / {allowed}", over("errors"), over("requests"));
    Panel::new(format!("Error budget left: {name} ({days} days)"), "percentunit").show("left", left)
}

/// Saturation, pod readiness and restarts.
fn pods(app: &Validated) -> Vec<Panel> {
    let (pods, deployment) = (telemetry::pods(app), telemetry::deployment(app));
    // `container!=""` excludes the totals that cAdvisor adds for each pod.
    let used = |metric: &str| format!(r#"{metric}{{{pods},container!=""}}"#);
    let of_request = |usage: String, resource: &str| {
        format!(
            r#"{usage} / sum by (pod) (kube_pod_container_resource_requests{{{pods},resource="{resource}"}})"#
        )
    };
    let cpu = format!(
        "sum by (pod) (rate({}[{INTERVAL}]))",
        used("container_cpu_usage_seconds_total")
    );
    let memory = format!("sum by (pod) ({})", used("container_memory_working_set_bytes"));
    vec![
        Panel::new("CPU, of the request", "percentunit").show("{{pod}}", of_request(cpu, "cpu")),
        Panel::new("Memory, of the request", "percentunit").show("{{pod}}", of_request(memory, "memory")),
        Panel::new("Pods", "short")
            .show(
                "available",
                format!("sum(kube_deployment_status_replicas_available{{{deployment}}})"),
            )
            .show(
                "wanted",
                format!("sum(kube_deployment_spec_replicas{{{deployment}}})"),
            )
            .show(
                "restarts",
                format!("sum(increase(kube_pod_container_status_restarts_total{{{pods}}}[{INTERVAL}]))"),
            ),
    ]
}

/// A time series panel.
struct Panel {
    title: String,
    unit: &'static str,
    /// Legend and expression.
    queries: Vec<(&'static str, String)>,
}

impl Panel {
    fn new(title: impl Into<String>, unit: &'static str) -> Self {
        Self {
            title: title.into(),
            unit,
            queries: Vec::new(),
        }
    }

    fn show(mut self, legend: &'static str, expr: String) -> Self {
        self.queries.push((legend, expr));
        self
    }

    fn at(&self, id: usize, x: usize, y: usize, width: usize) -> Value {
        let source = json!({"type": "prometheus", "uid": "${datasource}"});
        let query = |(letter, (legend, expr)): (char, &(&str, String))| json!({"refId": letter.to_string(), "datasource": source, "expr": expr, "legendFormat": legend});
        json!({
            "id": id,
            "type": "timeseries",
            "title": self.title,
            "datasource": source,
            "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": self.unit}, "overrides": []},
            "targets": ('A'..='Z').zip(&self.queries).map(query).collect::<Vec<Value>>(),
        })
    }
}

/// Rows with a title and their panels, three per line.
fn layout(rows: Vec<(&str, Vec<Panel>)>) -> Vec<Value> {
    let mut all = Vec::new();
    let mut y = 0;
    for (title, panels) in rows {
        let row = json!({"id": all.len() + 1, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}});
        all.push(row);
        y += 1;
        for line in panels.chunks(3) {
            let width = WIDTH / line.len();
            for (column, panel) in line.iter().enumerate() {
                all.push(panel.at(all.len() + 1, column * width, y, width));
            }
            y += HEIGHT;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::fixture::{app, availability};

    fn titles(app: &Validated) -> Vec<String> {
        let dashboard = dashboard(app);
        let panels = dashboard["panels"].as_array().unwrap();
        panels
            .iter()
            .map(|panel| panel["title"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_file_is_a_dashboard() {
        let children = children(&app());
        let config_map = &children[0].object;
        assert_eq!(children[0].name, "shop-dashboard");
        assert_eq!(config_map["metadata"]["labels"]["grafana_dashboard"], "1");
        let (file, text) = config_map["data"].as_object().unwrap().iter().next().unwrap();
        let dashboard: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert_eq!(*file, format!("{}.json", dashboard["uid"].as_str().unwrap()));
        assert!(dashboard["uid"].as_str().unwrap().len() <= 40);
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len());
    }

    #[test]
    fn rows_without_data_are_left_out() {
        let mut app = app();
        app.objectives = vec![availability("available", 0.999, 30)];
        assert!(titles(&app).contains(&"Error budget left: available (30 days)".to_owned()));
        app.objectives.clear();
        app.mesh.mode = MeshMode::None;
        assert_eq!(titles(&app)[0], "Pods");
    }

    #[test]
    fn created_only_if_enabled() {
        let mut app = app();
        app.monitoring.dashboards = false;
        assert!(children(&app).is_empty());
    }
}
