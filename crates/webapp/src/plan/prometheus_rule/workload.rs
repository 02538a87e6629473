//! Alerts about the workload, for applications without objectives too.

use serde_json::{Value, json};

use super::first_step;
use crate::{plan::telemetry, validate::Validated};

pub(super) fn group(app: &Validated) -> Value {
    let (name, namespace) = (&app.name, &app.namespace);
    let (deployment, pods) = (telemetry::deployment(app), telemetry::pods(app));
    let labels = |severity: &str| json!({"severity": severity, "application": name, "namespace": namespace});
    // An application scaled to zero has no pods and is not down.
    let down = format!(
        "kube_deployment_status_replicas_available{{{deployment}}} == 0 and on (namespace, deployment) kube_deployment_spec_replicas{{{deployment}}} > 0"
    );
    let restarting =
        format!("sum by (pod) (increase(kube_pod_container_status_restarts_total{{{pods}}}[30m])) > 3");
    json!({"name": format!("{name}-workload"), "rules": [
        {
            "alert": "ApplicationDown",
            "expr": down,
            "for": "5m",
            "labels": labels("page"),
            "annotations": {
                "summary": format!("{name} in {namespace} has no pod that answers"),
                "description": "No pod has been available for 5 minutes.",
                "runbook": first_step(app),
            },
        },
        {
            "alert": "ApplicationRestarting",
            "expr": restarting,
            "labels": labels("ticket"),
            "annotations": {
                "summary": format!("{name} in {namespace} keeps restarting"),
                "description": "{{ $labels.pod }} was restarted {{ $value | humanize }} times in 30 minutes.",
                "runbook": first_step(app),
            },
        },
    ]})
}
