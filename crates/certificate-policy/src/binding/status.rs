//! (Binding, `Observed`, what was applied) -> status. Pure.

use std::time::Duration;

use idp_api::{
    CertificateBinding, CertificateBindingStatus, certificate_binding::CertificateState,
    web_application::ChildStatus,
};
use idp_core::{
    Applied, ConditionSet, Plan, Problem,
    condition::{READY, RECONCILING, STALLED, SYNCED},
};
use idp_runtime::Outcome;
use jiff::{SignedDuration, Timestamp};

use super::{Observed, Validated};
use crate::{
    facts::{self, CertificateFacts},
    kinds::CERTIFICATE,
    problems::{EXPIRED, ISSUER_SILENT, NOT_ISSUED, NOT_RENEWED, NOT_YET_ISSUED, RENEWAL_OVERDUE},
    secret,
};

/// [`CertificateBindingStatus::version`]: there is only one, as pods do not read certificates.
const ISSUED: &str = "issued";
/// How late a renewal may be before somebody is told.
const GRACE: SignedDuration = SignedDuration::from_mins(15);
/// How long cert-manager may take to look at a Certificate.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);
/// How long the first certificate may take. An ACME issuer waits some minutes until a DNS record is seen.
const FIRST: SignedDuration = SignedDuration::from_mins(10);
/// How often a certificate that is not there is looked for: its coming is an event, its staying away is not.
const LOOK: Duration = Duration::from_secs(30);

/// One host with what is known of it.
struct Known<'a> {
    host: &'a str,
    path: &'a str,
    policy: Option<String>,
    certificate: Option<CertificateFacts>,
}

/// The next status of `binding`.
pub fn status(
    binding: &CertificateBinding,
    observed: &Observed,
    validated: Option<&Validated>,
    outcome: &Outcome,
    now: Timestamp,
) -> CertificateBindingStatus {
    let empty = CertificateBindingStatus::default();
    let previous = binding.status.as_ref().unwrap_or(&empty);
    let (plan, refused) = match outcome {
        Outcome::Applied(plan) => (plan, &[][..]),
        Outcome::Refused { problems, existing } => (existing, &problems[..]),
    };
    let known = known(binding, observed, validated, plan);
    let certificates: Vec<CertificateState> = known.iter().map(|known| state(known, now)).collect();
    let mut problems: Vec<Problem> = plan.problems.iter().chain(refused).cloned().collect();
    problems.extend(known.iter().filter_map(|known| problem(known, now)));
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));

    let total = certificates.len();
    let there = certificates
        .iter()
        .filter(|certificate| certificate.ready)
        .count();
    let stopped = problems.iter().find(|problem| problem.is_error());
    let (ready, reason, message) = match stopped {
        Some(problem) => (false, problem.reason.clone(), problem.message.clone()),
        None if there == total => (
            true,
            "Issued".to_owned(),
            format!("{total} certificates are valid"),
        ),
        None => (
            false,
            "Issuing".to_owned(),
            format!("{there} of {total} certificates are valid"),
        ),
    };
    let failed = plan.problems.iter().chain(refused).any(Problem::is_error);
    let (synced, why) = match (refused.is_empty(), failed) {
        (false, _) => ("Refused", "a host cannot have a certificate; nothing was changed"),
        (true, true) => ("ApplyFailed", "some Certificates are not as planned"),
        (true, false) => ("Applied", "the Certificates are as planned"),
    };
    let issued_once = !known.is_empty()
        && known.iter().all(|known| {
            let certificate = known.certificate.as_ref();
            certificate.is_some_and(CertificateFacts::is_issued)
        });
    CertificateBindingStatus {
        observed_generation: binding.metadata.generation,
        conditions: ConditionSet::new(&previous.conditions, binding.metadata.generation, now)
            .set(READY, ready, &reason, message.clone())
            .set(SYNCED, !failed, synced, why)
            .set_abnormal(RECONCILING, !ready && stopped.is_none(), &reason, message.clone())
            .set_abnormal(STALLED, stopped.is_some(), &reason, message)
            .finish(),
        problems,
        // Once given out it stays, whatever happens to a certificate: the pods have nothing to do with it.
        version: previous
            .version
            .clone()
            .or_else(|| issued_once.then(|| ISSUED.to_owned())),
        certificates,
        children: ChildStatus::inventory(plan, binding.metadata.namespace.as_deref()),
    }
}

/// When a binding must be looked at again: a time that it told of comes, or nothing comes at all.
pub(super) fn recheck(status: &CertificateBindingStatus, now: Timestamp) -> Option<Duration> {
    let waits = status.certificates.iter().any(|certificate| !certificate.ready);
    let times = status.certificates.iter().flat_map(|certificate| {
        let renewal = time(certificate.renewal_time.as_deref()).and_then(|time| time.checked_add(GRACE).ok());
        [renewal, time(certificate.not_after.as_deref())]
    });
    let next = times
        .flatten()
        .filter(|time| *time > now)
        .min()
        .and_then(|time| Duration::try_from(time.duration_since(now)).ok())
        // One second later, so that the time is surely past.
        .map(|delay| delay + Duration::from_secs(1));
    if waits {
        Some(next.map_or(LOOK, |next| next.min(LOOK)))
    } else {
        next
    }
}

fn known<'a>(
    binding: &'a CertificateBinding,
    observed: &Observed,
    validated: Option<&Validated>,
    plan: &Plan<Applied>,
) -> Vec<Known<'a>> {
    let hosts = binding.spec.hosts.iter().enumerate();
    hosts
        .map(|(index, bound)| {
            let name = secret::name(&bound.host);
            let valid = validated.and_then(|validated| validated.hosts.get(index));
            let applied = plan
                .child(CERTIFICATE, &name)
                .and_then(|child| facts::parse(&child.facts));
            // One of another binding is no child, but ours to use where the application is the same.
            let shared = || {
                let known = observed.hosts.get(index)?;
                known.shared.then(|| known.certificate.clone()).flatten()
            };
            Known {
                host: &bound.host,
                path: &bound.path,
                policy: valid.and_then(|valid| valid.policy.clone()),
                certificate: applied.or_else(shared),
            }
        })
        .collect()
}

fn state(known: &Known<'_>, now: Timestamp) -> CertificateState {
    let facts = known.certificate.clone().unwrap_or_default();
    let ended = time(facts.not_after.as_deref()).is_some_and(|end| end <= now);
    CertificateState {
        host: known.host.to_owned(),
        secret: secret::name(known.host),
        ready: facts.ready && !ended,
        policy: known.policy.clone(),
        revision: facts.revision,
        not_after: facts.not_after,
        renewal_time: facts.renewal_time,
    }
}

/// What keeps a certificate from being there, or from staying.
fn problem(known: &Known<'_>, now: Timestamp) -> Option<Problem> {
    let facts = known.certificate.as_ref()?;
    let host = known.host;
    let command = format!(
        "kubectl get certificates,certificaterequests -A | grep {}",
        facts.secret
    );
    let ended = |text: &Option<String>, grace| {
        let end = time(text.as_deref()).and_then(|time| time.checked_add(grace).ok());
        end.is_some_and(|end| end <= now)
    };
    let found = match &facts.failure {
        _ if ended(&facts.not_after, SignedDuration::ZERO) => Problem::error(
            EXPIRED,
            format!(
                "the certificate of host {host} ended at {}",
                facts.not_after.as_deref()?
            ),
        )
        .hint(format!("see why it was not renewed: {command}")),
        Some(failure) if facts.ready => Problem::warning(
            NOT_RENEWED,
            format!(
                "the certificate of host {host} is valid, but its renewal failed: {}",
                failure.message
            ),
        )
        .hint(format!(
            "cert-manager tries again; see what the issuer says: {command}"
        )),
        Some(failure) => Problem::error(
            NOT_ISSUED,
            format!(
                "host {host} gets no certificate ({}): {}",
                failure.reason, failure.message
            ),
        )
        .hint(format!(
            "cert-manager tries again; see what the issuer says: {command}"
        )),
        None if facts.ready && ended(&facts.renewal_time, GRACE) => Problem::warning(
            RENEWAL_OVERDUE,
            format!(
                "the certificate of host {host} should have been renewed at {}",
                facts.renewal_time.as_deref()?
            ),
        )
        .hint("see whether cert-manager runs"),
        None if !facts.seen && ended(&Some(facts.created.clone()), SILENCE) => Problem::error(
            ISSUER_SILENT,
            format!(
                "cert-manager has not looked at the certificate of host {host} since {}",
                facts.created
            ),
        )
        .hint("see whether cert-manager runs; the certificate comes by itself once it does"),
        None if !facts.is_issued() && ended(&Some(facts.created.clone()), FIRST) => Problem::warning(
            NOT_YET_ISSUED,
            format!(
                "host {host} has been waiting for its certificate since {}; no attempt has failed",
                facts.created
            ),
        )
        .hint(format!(
            "see whether cert-manager runs, and what the issuer waits for: {command}"
        )),
        None => return None,
    };
    Some(found.at(known.path))
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}
