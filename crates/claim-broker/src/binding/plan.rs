//! `Validated` -> `Plan<Prepared>`. Pure.

use idp_core::{Child, Plan, Prepared, labels};
use kube::core::ObjectMeta;

use super::validate::Validated;
use crate::{annotations, identity::NAME};

/// The claim, which outlives the binding, and actions on its retention annotations.
pub fn plan(binding: &Validated) -> Plan<Prepared> {
    let claim = binding.claim.as_ref().map(|claim| {
        let mut labels = labels::for_child(&binding.binding.application, NAME);
        labels.insert(annotations::CLASS.to_owned(), binding.binding.class.clone());
        let metadata = ObjectMeta {
            name: Some(binding.name.clone()),
            namespace: Some(binding.namespace.clone()),
            labels: Some(labels),
            annotations: Some([(annotations::BINDING.to_owned(), spec(binding))].into()),
            ..ObjectMeta::default()
        };
        Child::with_spec(claim.kind, &metadata, claim.spec.clone())
            .detached()
            .existing(claim.uid.clone())
    });
    Plan {
        children: claim.into_iter().collect(),
        actions: binding.actions.clone(),
        problems: binding.warnings.clone(),
    }
}

/// The binding's spec as the claim carries it: enough to use the data again without the binding.
fn spec(binding: &Validated) -> String {
    let mut spec = binding.binding.clone();
    // The claim has retention annotations for this.
    spec.released = false;
    // The item's place in the application's list; the claim does not depend on it.
    spec.path = String::new();
    serde_json::to_string(&spec).unwrap_or_default()
}
