//! PodDisruptionBudget: nodes are drained one pod at a time.

use idp_core::Child;
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{
    kinds,
    validate::{Scale, Validated},
};

/// `maxUnavailable`, not `minAvailable`: the latter would block the drain of a single pod's node for ever. Unhealthy
/// pods never block a drain.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if app.scale == Scale::Fixed(0) {
        return Vec::new();
    }
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(1)),
        selector: Some(LabelSelector {
            match_labels: Some(app.selector.clone()),
            match_expressions: None,
        }),
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        ..PodDisruptionBudgetSpec::default()
    };
    let budget = PodDisruptionBudget {
        spec: Some(spec),
        ..PodDisruptionBudget::default()
    };
    vec![Child::typed(
        kinds::DISRUPTION_BUDGET,
        &app.child_meta(&app.name),
        &budget,
    )]
}
