//! PrometheusRule: alerts.

mod objective;
mod workload;

use idp_core::Child;
use serde_json::{Value, json};

use crate::{kinds, validate::Validated};

/// If the Environment has Prometheus: alerts about the workload, and for each objective its recording rules and
/// burn-rate alerts.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if !app.monitoring.prometheus_operator {
        return Vec::new();
    }
    let mut metadata = app.child_meta(&app.name);
    metadata
        .labels
        .get_or_insert_default()
        .extend(app.monitoring.labels.clone());
    let objectives = app
        .objectives
        .iter()
        .map(|promise| objective::group(app, promise));
    let groups: Vec<Value> = objectives.chain([workload::group(app)]).collect();
    vec![Child::with_spec(
        kinds::PROMETHEUS_RULE,
        &metadata,
        json!({"groups": groups}),
    )]
}

/// The first step for the person on call.
fn first_step(app: &Validated) -> String {
    format!("idp-cli status {} -n {}", app.name, app.namespace)
}

/// The selector of an objective's recorded series; dashboards use it too.
pub(super) fn recorded(app: &Validated, objective: &str) -> String {
    format!(
        r#"{{namespace="{}",application="{}",objective="{objective}"}}"#,
        app.namespace, app.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, availability, latency, only_spec};

    #[test]
    fn one_group_per_objective_and_one_for_the_workload() {
        let mut app = app();
        app.objectives = vec![availability("available", 0.999, 30), latency("fast", 0.99, 250)];
        app.monitoring.labels = [("release".to_owned(), "prometheus".to_owned())].into();
        let children = children(&app);
        let groups = only_spec(&children)["groups"].as_array().unwrap();
        let names: Vec<&Value> = groups.iter().map(|group| &group["name"]).collect();
        assert_eq!(
            names,
            ["shop-objective-available", "shop-objective-fast", "shop-workload"]
        );
        assert_eq!(children[0].object["metadata"]["labels"]["release"], "prometheus");
    }

    #[test]
    fn none_without_the_operator() {
        let mut app = app();
        app.monitoring.prometheus_operator = false;
        assert!(children(&app).is_empty());
    }
}
