//! (`Observed`, what was applied) -> status. Pure; the clock is an argument.

use std::collections::BTreeMap;

use idp_api::{
    SecretBinding, SecretBindingStatus,
    secret_binding::{BoundSecret, SecretState},
    web_application::ChildStatus,
};
use idp_core::{
    ConditionSet, Problem,
    condition::{READY, RECONCILING, STALLED, SYNCED},
    hash,
};
use idp_runtime::Outcome;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::{
    facts::{EventFacts, ExternalSecretFacts, Happened},
    failure::{self, Cause},
    kinds::EXTERNAL_SECRET,
    observe::{Observed, Store, parse},
    validate::external_secret,
    versions::{self, Versions},
};

/// One secret as it is.
struct Seen<'a> {
    secret: &'a BoundSecret,
    facts: Option<&'a ExternalSecretFacts>,
    /// When its Secret last changed: the newest that was ever seen, as events are kept for an hour only.
    changed: Option<String>,
    cause: Option<Cause>,
}

pub(crate) fn status(
    binding: &SecretBinding,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> SecretBindingStatus {
    let empty = SecretBindingStatus::default();
    let previous = binding.status.as_ref().unwrap_or(&empty);
    let (plan, refused) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    // What was just written counts as it is now, and not as it was seen before.
    let mut external_secrets = observed.external_secrets.clone();
    let written = plan.children.iter().filter(|child| child.kind == EXTERNAL_SECRET);
    external_secrets.extend(written.filter_map(|child| Some((child.name.clone(), parse(&child.facts)?))));
    let seen: Vec<Seen<'_>> = binding
        .spec
        .secrets
        .iter()
        .map(|secret| see(binding, secret, &external_secrets, observed, previous))
        .collect();
    let complete = refused.is_empty()
        && seen
            .iter()
            .all(|seen| seen.facts.is_some_and(|facts| facts.synced));
    let current = complete.then(|| version(&seen));
    let versions = versions::next(
        &Versions {
            version: previous.version.clone(),
            pending: previous.pending.clone(),
        },
        current.as_deref(),
        now,
    );
    let mut problems: Vec<Problem> = plan.problems.iter().chain(refused).cloned().collect();
    problems.extend(seen.iter().filter_map(|seen| {
        let serves = seen.facts.is_some_and(|facts| facts.synced);
        let cause = seen.cause.as_ref()?;
        Some(failure::problem(seen.secret, &binding.spec.store, cause, serves))
    }));
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));

    let failing = problems.first();
    let waiting = seen.iter().find(|seen| !is_ready(seen));
    let (ready, reason, message) = match (failing, waiting) {
        (Some(problem), _) => (false, problem.reason.clone(), problem.message.clone()),
        (None, Some(seen)) => (
            false,
            "Syncing".to_owned(),
            format!("secret {} is being fetched", seen.secret.name),
        ),
        (None, None) if versions.version.is_none() => (
            false,
            "Settling".to_owned(),
            "all secrets are there; pods follow in a moment".to_owned(),
        ),
        (None, None) => (
            true,
            "Synced".to_owned(),
            format!("{} secrets are there", seen.len()),
        ),
    };
    let stalled = problems.iter().any(Problem::is_error);
    let planned = refused.is_empty() && !plan.problems.iter().any(Problem::is_error);
    let conditions = ConditionSet::new(&previous.conditions, binding.meta().generation, now)
        .set(READY, ready, &reason, message.clone())
        .set(
            SYNCED,
            planned,
            if planned { "Applied" } else { "Refused" },
            format!("{} objects", plan.children.len()),
        )
        .set_abnormal(RECONCILING, !ready && !stalled, &reason, message.clone())
        .set_abnormal(STALLED, stalled, &reason, message)
        .finish();
    SecretBindingStatus {
        observed_generation: binding.meta().generation,
        conditions,
        problems,
        version: versions.version,
        pending: versions.pending,
        secrets: seen
            .iter()
            .map(|seen| SecretState {
                name: seen.secret.name.clone(),
                ready: is_ready(seen),
                changed: seen.changed.clone(),
            })
            .collect(),
        children: ChildStatus::inventory(plan, binding.metadata.namespace.as_deref()),
    }
}

fn is_ready(seen: &Seen<'_>) -> bool {
    seen.facts
        .is_some_and(|facts| facts.synced && facts.ready == Some(true))
}

fn see<'a>(
    binding: &SecretBinding,
    secret: &'a BoundSecret,
    external_secrets: &'a BTreeMap<String, ExternalSecretFacts>,
    observed: &'a Observed,
    previous: &SecretBindingStatus,
) -> Seen<'a> {
    let facts = external_secrets.get(&external_secret(&binding.name_any(), secret));
    let events: Vec<&EventFacts> = observed
        .events
        .iter()
        .filter(|event| facts.is_some_and(|facts| facts.uid == event.about))
        .collect();
    let newest = |wanted: fn(&Happened) -> bool| {
        events
            .iter()
            .filter(|event| wanted(&event.what))
            .max_by(|one, other| one.at.cmp(&other.at))
    };
    let known = previous
        .secrets
        .iter()
        .find(|known| known.name == secret.name)
        .and_then(|known| known.changed.clone());
    let changed = newest(|what| *what == Happened::Changed).map(|event| event.at.clone());
    let failed = newest(|what| matches!(what, Happened::Failed(_)));
    let failing = facts.is_some_and(|facts| facts.ready == Some(false));
    let cause = match (observed.store, &secret.remote_key) {
        // Whatever an event says: without a store nothing else matters.
        (Store::Missing, Some(_)) => Some(Cause::StoreMissing),
        _ if !failing => None,
        (Store::Down, Some(_)) => Some(Cause::StoreDown),
        _ => Some(match failed.map(|event| &event.what) {
            Some(Happened::Failed(cause)) => cause.clone(),
            // Events are sent later than statuses, and kept for an hour only.
            _ => kept(secret, previous)
                .unwrap_or_else(|| Cause::Other("the reason is not known yet".to_owned())),
        }),
    };
    Seen {
        secret,
        facts,
        changed: changed.max(known),
        cause,
    }
}

/// The cause that the status tells, when its event is gone.
fn kept(secret: &BoundSecret, previous: &SecretBindingStatus) -> Option<Cause> {
    let told = previous.problems.iter().find(|problem| {
        problem
            .path
            .as_deref()
            .is_some_and(|path| path.starts_with(&secret.path))
    })?;
    match told.reason.as_str() {
        "RemoteKeyMissing" => Some(Cause::KeyMissing),
        "RemoteSecretNotJson" => Some(Cause::NoProperties),
        "StoreNotAllowed" => Some(Cause::StoreNotAllowed),
        "StoreAccessDenied" => Some(Cause::AccessDenied),
        "StoreDown" => Some(Cause::StoreDown),
        "NameTaken" => Some(Cause::TargetTaken),
        _ => None,
    }
}

/// What pods would read: which spec was carried out, and when its Secret last changed.
fn version(seen: &[Seen<'_>]) -> String {
    let all: Vec<_> = seen
        .iter()
        .map(|seen| {
            let synced = seen.facts.map(|facts| facts.synced_version.as_str());
            json!([seen.secret.name, synced, seen.changed])
        })
        .collect();
    hash::of(&json!(all))
}

#[cfg(test)]
mod tests;
