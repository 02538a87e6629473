//! What was decided about a claim, as an action for the runtime. Pure.

use std::collections::BTreeMap;

use idp_api::{claim_binding::Tombstone, kinds::CLAIM_BINDING};
use idp_core::{Acted, Action, Deed, Effect, action::Claimant, labels};
use serde_json::json;

use super::{claim::RetainedClaim, policy::Decision, wording};
use crate::{annotations, facts, facts::ClaimFacts};

/// The action that carries out `decision` on the claim as it was read; none if there is nothing to do.
pub fn plan(retained: &RetainedClaim, decision: &Decision) -> Option<Action> {
    let claim = &retained.claim;
    let (deed, because) = match decision {
        Decision::Nothing => return None,
        Decision::Mark { tombstone, requested } => (
            Deed::Annotate(retention_annotations(tombstone, *requested, &claim.name)),
            wording::retained(claim, tombstone),
        ),
        Decision::Unmark => (
            Deed::Annotate(annotations::RETENTION.map(|key| (key.to_owned(), None)).into()),
            "an application uses the claim again".to_owned(),
        ),
        Decision::Delete => (Deed::Delete, wording::deleted(claim)),
    };
    let read = annotations::RETENTION.map(|key| (key.to_owned(), claim.retention.get(key).cloned()));
    let label = |text: &String| (!text.is_empty()).then(|| text.clone());
    let claimant = matches!(decision, Decision::Delete).then(|| Claimant {
        kind: CLAIM_BINDING,
        namespace: retained.namespace.clone(),
        name: claim.name.clone(),
        pointer: "/spec/released",
        gives_way: json!(true),
    });
    Some(Action {
        kind: retained.kind,
        namespace: retained.namespace.clone(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        deed,
        annotations: read.into(),
        labels: [
            (annotations::CLASS.to_owned(), label(&claim.class)),
            (labels::APPLICATION.to_owned(), label(&claim.application)),
        ]
        .into(),
        claimant,
        because,
    })
}

/// The claim after an action; none if it is gone.
pub fn after(claim: &ClaimFacts, acted: &Acted) -> Option<ClaimFacts> {
    let read = acted.facts.as_ref().and_then(facts::parse);
    match (&acted.action.deed, acted.effect) {
        (Deed::Delete, Effect::Done) => Some(ClaimFacts {
            deleting: true,
            ..claim.clone()
        }),
        (_, Effect::Moot) => read,
        (_, Effect::Failed) => Some(claim.clone()),
        _ => read.or_else(|| Some(claim.clone())),
    }
}

/// The annotations of a retained claim; those without a value are removed.
pub(super) fn retention_annotations(
    tombstone: &Tombstone,
    requested: bool,
    name: &str,
) -> BTreeMap<String, Option<String>> {
    [
        (annotations::RELEASED_AT, Some(tombstone.since.clone())),
        (annotations::KEPT_UNTIL, Some(tombstone.until.clone())),
        (annotations::DELETE_DATA, requested.then(|| name.to_owned())),
        (
            annotations::DELETION_POLICY,
            tombstone.by_class.then(|| annotations::BY_CLASS.to_owned()),
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}
