//! (Binding, [`Observed`], applied plan) -> status. Pure.

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

use super::{observe::Observed, validate::Validated};
use crate::{
    facts::{self, CertificateFacts},
    kinds::CERTIFICATE,
    reasons::{
        CERTIFICATE_EXPIRED, ISSUER_NOT_RESPONDING, NOT_ISSUED, NOT_RENEWED, NOT_YET_ISSUED, RENEWAL_OVERDUE,
    },
    secret,
};

/// The only [`CertificateBindingStatus::version`], because pods do not read certificates.
const ISSUED: &str = "issued";
/// How late a renewal may be before it is a problem.
const RENEWAL_GRACE: SignedDuration = SignedDuration::from_mins(15);
/// How long cert-manager may take to process a Certificate.
const RESPONSE_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);
/// How long the first certificate may take. An ACME issuer waits some minutes for a DNS record.
const FIRST_ISSUE_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
/// How often a binding without its certificates is reconciled: no event says that a certificate is late.
const RECHECK: Duration = Duration::from_secs(30);

/// One host and its certificate.
struct HostState<'a> {
    host: &'a str,
    path: &'a str,
    policy: Option<String>,
    certificate: Option<CertificateFacts>,
}

/// The status of `binding`.
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
    let hosts = host_states(binding, observed, validated, plan);
    let certificates: Vec<CertificateState> = hosts.iter().map(|host| certificate_state(host, now)).collect();
    let mut problems: Vec<Problem> = plan.problems.iter().chain(refused).cloned().collect();
    problems.extend(hosts.iter().filter_map(|host| problem(host, now)));
    problems.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));

    let total = certificates.len();
    let valid = certificates
        .iter()
        .filter(|certificate| certificate.ready)
        .count();
    let stopped = problems.iter().find(|problem| problem.is_error());
    let (ready, reason, message) = match stopped {
        Some(problem) => (false, problem.reason.clone(), problem.message.clone()),
        None if valid == total => (
            true,
            "Issued".to_owned(),
            format!("{total} certificates are valid."),
        ),
        None => (
            false,
            "Issuing".to_owned(),
            format!("{valid} of {total} certificates are valid."),
        ),
    };
    let failed = plan.problems.iter().chain(refused).any(Problem::is_error);
    let (synced, why) = match (refused.is_empty(), failed) {
        (false, _) => (
            "Refused",
            "Spec rejected; no objects changed. See status.problems.",
        ),
        (true, true) => (
            "ApplyFailed",
            "Some Certificates could not be applied. See status.problems.",
        ),
        (true, false) => ("Applied", "All Certificates are as planned."),
    };
    let issued_once = !hosts.is_empty()
        && hosts.iter().all(|host| {
            let certificate = host.certificate.as_ref();
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
        // It never changes again: pods do not depend on renewals.
        version: previous
            .version
            .clone()
            .or_else(|| issued_once.then(|| ISSUED.to_owned())),
        certificates,
        children: ChildStatus::inventory(plan, binding.metadata.namespace.as_deref()),
    }
}

/// When to reconcile a binding again without an event: at its next expiry or renewal, or while a certificate is missing.
pub(super) fn recheck(status: &CertificateBindingStatus, now: Timestamp) -> Option<Duration> {
    let waits = status.certificates.iter().any(|certificate| !certificate.ready);
    let times = status.certificates.iter().flat_map(|certificate| {
        let renewal =
            time(certificate.renewal_time.as_deref()).and_then(|time| time.checked_add(RENEWAL_GRACE).ok());
        [renewal, time(certificate.not_after.as_deref())]
    });
    let next = times
        .flatten()
        .filter(|time| *time > now)
        .min()
        .and_then(|time| Duration::try_from(time.duration_since(now)).ok())
        // One second later, so that the time has passed.
        .map(|delay| delay + Duration::from_secs(1));
    if waits {
        Some(next.map_or(RECHECK, |next| next.min(RECHECK)))
    } else {
        next
    }
}

fn host_states<'a>(
    binding: &'a CertificateBinding,
    observed: &Observed,
    validated: Option<&Validated>,
    plan: &Plan<Applied>,
) -> Vec<HostState<'a>> {
    let hosts = binding.spec.hosts.iter().enumerate();
    hosts
        .map(|(index, bound)| {
            let name = secret::name(&bound.host);
            let valid = validated.and_then(|validated| validated.hosts.get(index));
            let applied = plan
                .child(CERTIFICATE, &name)
                .and_then(|child| facts::parse(&child.facts));
            // A Certificate that another binding of the same application owns is no child.
            let shared = || {
                let host = observed.hosts.get(index)?;
                host.shared.then(|| host.certificate.clone()).flatten()
            };
            HostState {
                host: &bound.host,
                path: &bound.path,
                policy: valid.and_then(|valid| valid.policy.clone()),
                certificate: applied.or_else(shared),
            }
        })
        .collect()
}

fn certificate_state(state: &HostState<'_>, now: Timestamp) -> CertificateState {
    let facts = state.certificate.clone().unwrap_or_default();
    let ended = time(facts.not_after.as_deref()).is_some_and(|end| end <= now);
    CertificateState {
        host: state.host.to_owned(),
        secret: secret::name(state.host),
        ready: facts.ready && !ended,
        policy: state.policy.clone(),
        revision: facts.revision,
        not_after: facts.not_after,
        renewal_time: facts.renewal_time,
    }
}

/// Why a certificate is missing, or will be.
fn problem(state: &HostState<'_>, now: Timestamp) -> Option<Problem> {
    let facts = state.certificate.as_ref()?;
    let host = state.host;
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
            CERTIFICATE_EXPIRED,
            format!(
                "The certificate of host {host} expired at {}.",
                facts.not_after.as_deref()?
            ),
        )
        .hint(format!("Find out why it was not renewed: {command}")),
        Some(failure) if facts.ready => Problem::warning(
            NOT_RENEWED,
            format!(
                "The certificate of host {host} is valid, but its renewal failed: {}",
                failure.message
            ),
        )
        .hint(format!(
            "cert-manager retries automatically. See the issuer's error: {command}"
        )),
        Some(failure) => Problem::error(
            NOT_ISSUED,
            format!(
                "Issuing the certificate of host {host} failed ({}): {}",
                failure.reason, failure.message
            ),
        )
        .hint(format!(
            "cert-manager retries automatically. See the issuer's error: {command}"
        )),
        None if facts.ready && ended(&facts.renewal_time, RENEWAL_GRACE) => Problem::warning(
            RENEWAL_OVERDUE,
            format!(
                "The certificate of host {host} was due for renewal at {}.",
                facts.renewal_time.as_deref()?
            ),
        ),
        None if !facts.processed && ended(&Some(facts.created.clone()), RESPONSE_TIMEOUT) => Problem::error(
            ISSUER_NOT_RESPONDING,
            format!(
                "cert-manager has not processed the Certificate of host {host}, created at {}.",
                facts.created
            ),
        ),
        None if !facts.is_issued() && ended(&Some(facts.created.clone()), FIRST_ISSUE_TIMEOUT) => {
            Problem::warning(
                NOT_YET_ISSUED,
                format!(
                    "Host {host} has been waiting for its first certificate since {}. No attempt has failed.",
                    facts.created
                ),
            )
            .hint(format!(
                "Check that cert-manager is running, and what the issuer is waiting for: {command}"
            ))
        }
        None => return None,
    };
    Some(found.at(state.path))
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}
