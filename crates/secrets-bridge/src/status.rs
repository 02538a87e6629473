//! (`Observed`, applied objects) -> status. Pure; the clock is an argument.

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
use serde::Deserialize;
use serde_json::json;

use crate::{
    facts::{EventFacts, ExternalSecretFacts, Happened},
    kinds::EXTERNAL_SECRET,
    observe::{Observed, Store},
    reasons,
    sync_error::{self, Cause},
    validate::external_secret,
    versions::{self, Versions},
};

/// The state of one secret.
struct Current<'a> {
    secret: &'a BoundSecret,
    facts: Option<&'a ExternalSecretFacts>,
    /// When its Secret last changed. Kept from status to status, because events are deleted after an hour.
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
    let (plan, rejected) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    // Objects that were just written are newer than the observed ones. Their facts were created from the same type, so they
    // always parse.
    let mut external_secrets = observed.external_secrets.clone();
    let written = plan.children.iter().filter(|child| child.kind == EXTERNAL_SECRET);
    external_secrets.extend(written.filter_map(|child| {
        Some((
            child.name.clone(),
            ExternalSecretFacts::deserialize(&child.facts).ok()?,
        ))
    }));
    let current: Vec<Current<'_>> = binding
        .spec
        .secrets
        .iter()
        .map(|secret| current(binding, secret, &external_secrets, observed, previous))
        .collect();
    let complete = rejected.is_empty()
        && current
            .iter()
            .all(|current| current.facts.is_some_and(|facts| facts.synced));
    let complete_version = complete.then(|| version(&current));
    let versions = versions::next(
        &Versions {
            version: previous.version.clone(),
            pending: previous.pending.clone(),
        },
        complete_version.as_deref(),
        now,
    );
    let mut problems: Vec<Problem> = plan.problems.iter().chain(rejected).cloned().collect();
    problems.extend(current.iter().filter_map(|current| {
        let serves = current.facts.is_some_and(|facts| facts.synced);
        let cause = current.cause.as_ref()?;
        Some(sync_error::problem(
            current.secret,
            &binding.spec.store,
            cause,
            serves,
        ))
    }));
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));

    let failing = problems.first();
    let waiting = current.iter().find(|current| !is_ready(current));
    let (ready, reason, message) = match (failing, waiting) {
        (Some(problem), _) => (false, problem.reason.clone(), problem.message.clone()),
        (None, Some(current)) => (
            false,
            "Syncing".to_owned(),
            format!("Secret {} is being synchronized.", current.secret.name),
        ),
        (None, None) if versions.version.is_none() => (
            false,
            "Settling".to_owned(),
            "All secrets are synchronized. Pods are updated after a few seconds without changes.".to_owned(),
        ),
        (None, None) => (
            true,
            "Synced".to_owned(),
            format!("{} secrets are synchronized.", current.len()),
        ),
    };
    let stalled = problems.iter().any(Problem::is_error);
    let planned = rejected.is_empty() && !plan.problems.iter().any(Problem::is_error);
    let conditions = ConditionSet::new(&previous.conditions, binding.meta().generation, now)
        .set(READY, ready, &reason, message.clone())
        .set(
            SYNCED,
            planned,
            if planned { "Applied" } else { "Refused" },
            format!("{} objects are applied.", plan.children.len()),
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
        secrets: current
            .iter()
            .map(|current| SecretState {
                name: current.secret.name.clone(),
                ready: is_ready(current),
                changed: current.changed.clone(),
            })
            .collect(),
        children: ChildStatus::inventory(plan, binding.metadata.namespace.as_deref()),
    }
}

fn is_ready(current: &Current<'_>) -> bool {
    current
        .facts
        .is_some_and(|facts| facts.synced && facts.ready == Some(true))
}

fn current<'a>(
    binding: &SecretBinding,
    secret: &'a BoundSecret,
    external_secrets: &'a BTreeMap<String, ExternalSecretFacts>,
    observed: &'a Observed,
    previous: &SecretBindingStatus,
) -> Current<'a> {
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
        // Without a store, no event matters.
        (Store::Missing, Some(_)) => Some(Cause::StoreMissing),
        _ if !failing => None,
        (Store::Down, Some(_)) => Some(Cause::StoreDown),
        _ => Some(match failed.map(|event| &event.what) {
            Some(Happened::Failed(cause)) => cause.clone(),
            // Events come later than statuses, and are deleted after an hour.
            _ => reported_before(secret, previous)
                .unwrap_or_else(|| Cause::Other("External Secrets has reported no reason yet".to_owned())),
        }),
    };
    Current {
        secret,
        facts,
        changed: changed.max(known),
        cause,
    }
}

/// The cause in the previous status, for when its event is deleted.
fn reported_before(secret: &BoundSecret, previous: &SecretBindingStatus) -> Option<Cause> {
    let reported = previous.problems.iter().find(|problem| {
        problem
            .path
            .as_deref()
            .is_some_and(|path| path.starts_with(&secret.path))
    })?;
    let causes = [
        (reasons::REMOTE_KEY_MISSING, Cause::KeyMissing),
        (reasons::REMOTE_SECRET_NOT_JSON, Cause::NoProperties),
        (reasons::STORE_NOT_ALLOWED, Cause::StoreNotAllowed),
        (reasons::STORE_ACCESS_DENIED, Cause::AccessDenied),
        (reasons::STORE_DOWN, Cause::StoreDown),
        (reasons::NAME_TAKEN, Cause::TargetTaken),
    ];
    causes
        .into_iter()
        .find_map(|(reason, cause)| (reported.reason == reason).then_some(cause))
}

/// The version of the data that pods read: the synchronized spec, and when its Secret last changed.
fn version(current: &[Current<'_>]) -> String {
    let all: Vec<_> = current
        .iter()
        .map(|current| {
            let synced = current.facts.map(|facts| facts.synced_version.as_str());
            json!([current.secret.name, synced, current.changed])
        })
        .collect();
    hash::of(&json!(all))
}

#[cfg(test)]
mod tests;
