//! What the application no longer names: its bindings continue as `released`, because the data do.

use idp_api::{
    ClaimBindingSpec,
    claim_binding::{ClaimPhase, Tombstone},
    claim_class::DeletionPolicy,
};
use idp_core::{
    Problem,
    capability::{SectionPlan, SectionRequest},
};

use super::{
    items::{Item, binding},
    known::{Known, KnownBinding},
};
use crate::{facts::ClaimFacts, reasons, retention};

/// Adds the application's bindings that the section does not name, each with a warning.
pub(super) fn add(request: &SectionRequest, items: &[Item], known: &Known, plan: &mut SectionPlan) {
    let is_named = |name: &str| items.iter().any(|item| item.binding == name);
    let released = known
        .bindings
        .iter()
        .filter(|(name, binding)| binding.spec.application == request.application && !is_named(name));
    for (name, existing) in released {
        let claim = known.claims.get(name);
        if is_over(existing, claim) {
            // The binding is deleted: nothing is left to retain.
            continue;
        }
        let spec = ClaimBindingSpec {
            released: true,
            // Another item may have its place in the list by now.
            path: request.path.clone(),
            ..existing.spec.clone()
        };
        plan.bindings.push(binding(name, &spec));
        plan.problems
            .extend(claim.map(|claim| notice(request, name, claim, known)));
    }
}

/// Whether nothing is left to retain: the data were deleted, or never existed.
fn is_over(binding: &KnownBinding, claim: Option<&ClaimFacts>) -> bool {
    match binding.phase {
        Some(ClaimPhase::Deleted) => binding.spec.released,
        // It never had a claim.
        Some(ClaimPhase::Pending) => claim.is_none(),
        _ => false,
    }
}

/// What happens to data that the section does not name: as the claim's annotations say, and before it has any, as its
/// class will decide.
fn notice(request: &SectionRequest, name: &str, claim: &ClaimFacts, known: &Known) -> Problem {
    let what = format!("{} {name}", claim.kind);
    let (application, namespace) = (&request.application, &request.namespace);
    let class = known.classes.get(&claim.class);
    let deletes = class.filter(|class| class.deletion_policy == DeletionPolicy::Delete);
    let keep = format!("To keep the data, name it in the application {application} again before that.");
    let deletion = |message: String| Problem::warning(reasons::DATA_DELETION, message);
    let problem = match (&claim.tombstone, deletes) {
        (tombstone, _) if claim.deleting => {
            let cause = retention::deletion_cause(claim, &tombstone.clone().unwrap_or_default());
            deletion(format!("{what} is being deleted with its data: {cause}.")).hint("No action is needed.")
        }
        (
            Some(Tombstone {
                by_class: true, until, ..
            }),
            _,
        ) => deletion(format!(
            "{what} and its data will be deleted after {until}: {}.",
            retention::by_class(&claim.class)
        ))
        .hint(keep),
        (None, Some(class)) => deletion(format!(
            "The application no longer uses {what}. Its data will be deleted {} after the release: {}.",
            class.grace_period,
            retention::by_class(&claim.class)
        ))
        .hint(keep),
        (Some(Tombstone { delete: true, until, .. }), _) => deletion(format!(
            "{what} and its data will be deleted after {until}: the deletion was requested."
        ))
        .hint(format!(
            "To keep the data, run `idp-cli data undelete {name} -n {namespace}`, or name it in the application again."
        )),
        _ => Problem::warning(
            reasons::DATA_KEPT,
            format!("The application no longer uses {what}. Its data are retained."),
        )
        .hint(format!(
            "To use the data again, name it in the application again. To delete them, run `idp-cli data delete {name} -n {namespace}`."
        )),
    };
    problem.at(request.path.clone())
}
