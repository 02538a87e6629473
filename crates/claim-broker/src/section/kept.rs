//! What the application does not want any more: its bindings go on as `released`, because the data do.

use idp_api::{
    ClaimBindingSpec,
    claim_binding::{ClaimPhase, Tombstone},
    claim_class::DeletionPolicy,
};
use idp_core::{
    Problem,
    capability::{SectionPlan, SectionRequest},
};

use super::{Known, KnownBinding, binding, items::Item};
use crate::{facts::ClaimFacts, reason, tombstone};

/// Adds the bindings of the application that the section does not name, with a warning each.
pub(super) fn kept(request: &SectionRequest, items: &[Item], known: &Known, plan: &mut SectionPlan) {
    let wanted = |name: &str| items.iter().any(|item| item.binding == name);
    let unwanted = known
        .bindings
        .iter()
        .filter(|(name, held)| held.spec.application == request.application && !wanted(name));
    for (name, held) in unwanted {
        let claim = known.claims.get(name);
        if is_over(held, claim) {
            // Not named any more: the binding goes, and nothing is left.
            continue;
        }
        let spec = ClaimBindingSpec {
            released: true,
            // Where it stood, another one may stand by now.
            path: request.path.clone(),
            ..held.spec.clone()
        };
        plan.bindings.push(binding(name, &spec));
        plan.problems
            .extend(claim.map(|claim| notice(request, name, claim, known)));
    }
}

/// Whether there is nothing left to keep: the data were deleted as asked, or there have never been any.
fn is_over(held: &KnownBinding, claim: Option<&ClaimFacts>) -> bool {
    match held.phase {
        Some(ClaimPhase::Deleted) => held.spec.released,
        // Never got as far as a claim.
        Some(ClaimPhase::Pending) => claim.is_none(),
        _ => false,
    }
}

/// What becomes of data that the section does not name: what the claim's marks say, and before it has any, what its class
/// will make of them.
fn notice(request: &SectionRequest, name: &str, claim: &ClaimFacts, known: &Known) -> Problem {
    let what = format!("{} {name}", claim.kind);
    let (application, namespace) = (&request.application, &request.namespace);
    let class = known.classes.get(&claim.class);
    let goes = class.filter(|class| class.deletion_policy == DeletionPolicy::Delete);
    let again = format!("to keep them, name it in the application {application} again before that");
    let going = |message: String| Problem::warning(reason::DATA_DELETION, message);
    let problem = match (&claim.tombstone, goes) {
        (tombstone, _) if claim.deleting => {
            let reason = tombstone::reason(claim, &tombstone.clone().unwrap_or_default());
            going(format!("{what} is being deleted with its data, {reason}")).hint("nothing to do")
        }
        (Some(Tombstone { by_class: true, until, .. }), _) => going(format!(
            "{what} and its data will be deleted after {until}, {}",
            tombstone::by_class(&claim.class)
        ))
        .hint(again),
        (None, Some(class)) => going(format!(
            "the application does not want {what} any more: its data will be deleted {} after it let go of them, {}",
            class.grace_period,
            tombstone::by_class(&claim.class)
        ))
        .hint(again),
        (Some(Tombstone { delete: true, until, .. }), _) => {
            going(format!("{what} and its data will be deleted after {until}, as somebody asked")).hint(format!(
                "to keep them: `idp-cli data undelete {name} -n {namespace}`, or name it in the application again"
            ))
        }
        _ => Problem::warning(
            reason::DATA_KEPT,
            format!("the application does not want {what} any more; its data are kept"),
        )
        .hint(format!(
            "to have it back, name it in the application again; to delete the data: `idp-cli data delete {name} -n {namespace}`"
        )),
    };
    problem.at(request.path.clone())
}
