//! The charts of our controllers, and those of peers with our values, as Helm renders them. No cluster is needed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod identity;
mod peers;
mod pods;
mod rules;
mod values;

use std::collections::BTreeSet;

use idp_testkit::{
    chart::{CHARTS, Chart, lint},
    rights::assert_modest,
};
use serde_json::Value;

/// Charts of capabilities, and the names of the capabilities.
const CAPABILITIES: [(&str, &str); 3] = [
    ("idp-secrets-bridge", "secrets"),
    ("idp-certificate-policy", "certificates"),
    ("idp-claim-broker", "claims"),
];

/// The only object of a kind.
async fn only(chart: &Chart, kind: &str) -> Value {
    let mut objects = chart.of_kind(kind).await.unwrap();
    assert_eq!(objects.len(), 1, "{kind} of {chart:?}");
    objects.remove(0)
}

/// A chart with all options enabled.
fn whole(name: &'static str) -> Chart {
    let chart = Chart::of(name).with("serviceMonitor.enabled=true");
    chart.with("alerts.enabled=true")
}

#[test]
fn no_controller_has_a_forbidden_permission() {
    CHARTS.iter().for_each(|name| assert_modest(name));
}

#[tokio::test]
async fn helm_lint_passes() {
    lint("idp-library").await.unwrap();
    for name in CHARTS {
        lint(name).await.unwrap();
    }
}

#[tokio::test]
async fn the_library_is_linked_into_each_chart() {
    let folder = idp_testkit::root().join("charts");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name == "README.md" || name == "idp-library" || CHARTS.contains(&name.as_str());
        assert!(known, "charts/{name} has no test");
    }
    for name in CHARTS {
        let link = folder.join(name).join("charts/idp-library");
        let target = std::fs::read_link(link).unwrap();
        assert_eq!(target.to_str(), Some("../../idp-library"));
    }
}

#[tokio::test]
async fn no_object_is_duplicate() {
    let mut seen = BTreeSet::new();
    for name in CHARTS {
        for object in whole(name).objects().await.unwrap() {
            let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
            assert!(
                seen.insert(format!("{kind} {name}")),
                "{kind} {name} is duplicate"
            );
        }
    }
    assert!(seen.len() > 40, "only {} objects", seen.len());
}

#[tokio::test]
async fn the_release_namespace_is_used_everywhere() {
    for name in CHARTS {
        let chart = whole(name).within("elsewhere");
        let text = chart.text().await.unwrap();
        assert!(!text.contains("idp-system"), "{name}:\n{text}");
        for object in chart.objects().await.unwrap() {
            let whole_cluster = object["kind"].as_str().unwrap().starts_with("Cluster");
            let namespace = object["metadata"]["namespace"].as_str();
            let wanted = (!whole_cluster).then_some("elsewhere");
            assert_eq!(namespace, wanted, "{name}: {}", object["kind"]);
        }
    }
}
