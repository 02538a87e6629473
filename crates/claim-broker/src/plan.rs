//! `Validated` -> `Plan<Prepared>`. Pure.

use idp_core::{Child, Plan, Prepared, labels};
use kube::core::ObjectMeta;

use crate::{controller::NAME, marks, validate::Validated};

/// The claim, which outlives the binding, and what becomes of its marks.
pub fn plan(binding: &Validated) -> Plan<Prepared> {
    let claim = binding.claim.as_ref().map(|claim| {
        let mut labels = labels::for_child(&binding.binding.application, NAME);
        labels.insert(marks::CLASS.to_owned(), binding.binding.class.clone());
        let metadata = ObjectMeta {
            name: Some(binding.name.clone()),
            namespace: Some(binding.namespace.clone()),
            labels: Some(labels),
            annotations: Some([(marks::BINDING.to_owned(), spec(binding))].into()),
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

/// The binding's spec as the claim carries it: what it takes to have the data back when the binding is gone.
fn spec(binding: &Validated) -> String {
    let mut spec = binding.binding.clone();
    // It comes and goes, and the claim has marks of its own for it.
    spec.released = false;
    // A place in the application's list, which changes without the claim.
    spec.path = String::new();
    serde_json::to_string(&spec).unwrap_or_default()
}
