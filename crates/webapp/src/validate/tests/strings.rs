//! Every free text of a tenant, and where it ends up: docs/architecture/0017-strings-that-others-evaluate.md lists them with
//! what keeps each harmless. A text that reaches one more place fails here, and is to be thought about.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{app, check_errors, cluster};
use crate::{plan::plan, validate::validate};

/// Syntax of PromQL, Go templates, Grafana, shells, regular expressions and terminals.
const EVIL: &str = "x\"} or vector(1) {{ .x }} ${y} [[z]] $(A) `id` (a+)+$ \u{1b}[2J";

fn places(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if name.contains("vector(1)") { "EVIL" } else { name };
                if name == "EVIL" {
                    found.insert(format!("{path}.KEY"));
                }
                places(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| places(item, path, found)),
        Value::String(text) if text.contains("vector(1)") => {
            found.insert(path.to_owned());
        }
        _ => {}
    }
}

/// Where the text ends up, over all children: `Kind.path`, with lists written without index.
fn arrives(spec: &Value) -> BTreeSet<String> {
    let validated = validate(
        &app(spec),
        &cluster(&json!({"gateway": {"allowPlaintext": true}})),
    )
    .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let mut found = BTreeSet::new();
    for child in plan(&validated).unwrap().children {
        places(&child.object, child.kind.kind, &mut found);
    }
    found
}

#[test]
fn free_texts_end_up_where_they_are_listed() {
    let spec = json!({
        "command": [EVIL], "args": [EVIL],
        "env": [{"name": "A", "value": EVIL}],
        "configFiles": [{"path": "/etc/a", "content": EVIL}],
        "health": {
            "readiness": {"http": {"path": format!("/{EVIL}")}},
            "liveness": {"exec": {"command": [EVIL]}},
        },
        "ports": [{"name": "http", "port": 8080}],
        "routes": [
            {"host": "a", "path": format!("/{EVIL}"), "rewrite": format!("/{EVIL}"), "retries": {"attempts": 1, "retryOn": EVIL},
                "cors": {"allowOrigins": [EVIL], "allowMethods": [EVIL], "allowHeaders": [EVIL], "exposeHeaders": [EVIL]},
                "tls": {"mode": "None"}},
            {"host": "a", "path": "/moved", "redirect": {"path": format!("/{EVIL}")}, "tls": {"mode": "None"}},
        ],
        "autoscaling": {"maxReplicas": 5, "custom": [{"name": EVIL, "source": "External", "labels": {"l": EVIL}, "average": "1"}]},
        "access": {"inbound": [{"application": EVIL, "methods": [EVIL], "paths": [EVIL]}, {"namespace": EVIL}],
            "outbound": [{"application": {"name": EVIL, "namespace": EVIL}}]},
        "migration": {"command": [EVIL]},
        "jobs": [{"name": "j", "command": [EVIL]}],
        "observability": {"metrics": {"path": format!("/{EVIL}")}, "objectives": [{"name": "good", "availability": {"percent": "99.9"}, "windowDays": 30}]},
        "placement": {"nodeSelector": {"l": EVIL}},
    });
    let found = arrives(&spec);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "AuthorizationPolicy.spec.rules.from.source.namespaces",
            "AuthorizationPolicy.spec.rules.from.source.principals",
            "AuthorizationPolicy.spec.rules.to.operation.methods",
            "AuthorizationPolicy.spec.rules.to.operation.paths",
            "ConfigMap.data.5016c3c3-a",
            "CronJob.spec.jobTemplate.spec.template.spec.containers.command",
            "CronJob.spec.jobTemplate.spec.template.spec.containers.env.value",
            "CronJob.spec.jobTemplate.spec.template.spec.nodeSelector.l",
            "Deployment.spec.template.spec.containers.args",
            "Deployment.spec.template.spec.containers.command",
            "Deployment.spec.template.spec.containers.env.value",
            "Deployment.spec.template.spec.containers.livenessProbe.exec.command",
            "Deployment.spec.template.spec.containers.readinessProbe.httpGet.path",
            "Deployment.spec.template.spec.nodeSelector.l",
            "HorizontalPodAutoscaler.spec.metrics.external.metric.name",
            "HorizontalPodAutoscaler.spec.metrics.external.metric.selector.matchLabels.l",
            "Job.spec.template.spec.containers.command",
            "Job.spec.template.spec.containers.env.value",
            "Job.spec.template.spec.nodeSelector.l",
            "NetworkPolicy.spec.egress.to.namespaceSelector.matchLabels.kubernetes.io/metadata.name",
            "NetworkPolicy.spec.egress.to.podSelector.matchLabels.idp.dev/application",
            "NetworkPolicy.spec.ingress.from.namespaceSelector.matchLabels.kubernetes.io/metadata.name",
            "NetworkPolicy.spec.ingress.from.podSelector.matchLabels.idp.dev/application",
            "ServiceMonitor.spec.endpoints.path",
            "VirtualService.spec.http.corsPolicy.allowHeaders",
            "VirtualService.spec.http.corsPolicy.allowMethods",
            "VirtualService.spec.http.corsPolicy.allowOrigins.exact",
            "VirtualService.spec.http.corsPolicy.exposeHeaders",
            "VirtualService.spec.http.match.uri.exact",
            "VirtualService.spec.http.match.uri.prefix",
            "VirtualService.spec.http.redirect.uri",
            "VirtualService.spec.http.retries.retryOn",
            "VirtualService.spec.http.rewrite.uri",
        ]
    );
}

#[test]
fn names_in_promql_and_dashboards_are_plain() {
    let objective = |name: &str| json!({"observability": {"objectives": [{"name": name, "availability": {"percent": "99.9"}, "windowDays": 30}]}});
    let at = "spec.observability.objectives[0].name";
    for name in [
        EVIL,
        "a\"} or x",
        "a{{b}}",
        "${a}",
        "[[a]]",
        "$a",
        "A",
        "a-",
        "-a",
        "a.b",
        "",
    ] {
        check_errors(vec![(objective(name), json!({}), "InvalidSpec", at)]);
    }
    let mut hostile = app(&json!({}));
    hostile.metadata.name = Some(EVIL.into());
    assert!(validate(&hostile, &cluster(&json!({}))).is_err());
}
