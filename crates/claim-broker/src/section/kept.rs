//! What the application does not want any more: its bindings go on as `released`, because the data do.

use idp_api::{
    ClaimBindingSpec,
    claim_binding::{ClaimPhase, Tombstone},
};
use idp_core::{
    Problem,
    capability::{SectionPlan, SectionRequest},
};

use super::{Known, KnownBinding, binding, items::Item};
use crate::{facts::ClaimFacts, reason};

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
            ..held.spec.clone()
        };
        plan.bindings.push(binding(name, &spec));
        plan.problems
            .extend(claim.map(|claim| notice(request, name, claim)));
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

fn notice(request: &SectionRequest, name: &str, claim: &ClaimFacts) -> Problem {
    let what = format!("{} {name}", claim.kind);
    let section = request.path.clone();
    let namespace = &request.namespace;
    match &claim.tombstone {
        _ if claim.deleting => Problem::warning(reason::DATA_DELETION, format!("{what} is being deleted with its data, as somebody asked"))
            .at(section)
            .hint("nothing to do"),
        Some(Tombstone { delete: true, until, .. }) => {
            Problem::warning(reason::DATA_DELETION, format!("{what} and its data will be deleted after {until}, as somebody asked"))
                .at(section)
                .hint(format!("to keep them: `idp-cli data undelete {name} -n {namespace}`, or name the database in the application again"))
        }
        _ => Problem::warning(reason::DATA_KEPT, format!("the application does not want {what} any more; its data are kept"))
            .at(section)
            .hint(format!(
                "to have it back, name it in the application again; to delete the data: `idp-cli data delete {name} -n {namespace}`"
            )),
    }
}
