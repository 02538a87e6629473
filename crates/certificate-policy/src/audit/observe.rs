//! The only reads: caches -> what exists.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use idp_api::{CertificatePolicy, kinds::CERTIFICATE_BINDING};
use idp_runtime::View;
use kube::ResourceExt;
use serde_json::json;

use super::{
    Findings, PolicyController, Subject, audit,
    findings::{CERTIFICATE, REQUEST},
    metrics,
};
use crate::{
    certificate_request::ownership,
    facts::{self, CertificateFacts, RequestFacts},
    kinds, shared_cache,
};

/// What a policy's status depends on.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What was found at this policy and at all others.
    pub findings: Arc<Findings>,
}

/// Which state of the caches findings are of: how often changes were collected, and the policies with their
/// generations.
pub(super) type Age = (u64, Vec<(String, String, Option<i64>)>);

/// Audits, unless that has been done already for the same state.
pub(super) fn observe(
    controller: &PolicyController,
    _: &CertificatePolicy,
    view: &View<CertificatePolicy>,
) -> Observed {
    let mut generations: Vec<_> = view
        .resources()
        .iter()
        .map(|policy| {
            (
                policy.name_any(),
                policy.uid().unwrap_or_default(),
                policy.metadata.generation,
            )
        })
        .collect();
    generations.sort();
    let age = (controller.epoch.load(Ordering::Relaxed), generations);
    let mut memo = controller.memo.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, findings)) = memo.as_ref().filter(|(known, _)| *known == age) {
        return Observed {
            findings: findings.clone(),
        };
    }
    let policies = shared_cache::policies(view);
    let issuers = shared_cache::issuers(&policies, view);
    let certificates = certificates(view);
    let mut subjects: Vec<Subject> = certificates.iter().map(|(subject, _)| subject.clone()).collect();
    subjects.extend(requests(view, &certificates));
    let findings = Arc::new(audit(&policies, &issuers, &subjects));
    metrics::publish(
        &policies,
        &findings,
        certificates
            .iter()
            .filter(|(subject, _)| issuers.contains(&subject.issuer))
            .map(|(subject, facts)| (subject.namespace.as_str(), subject.name.as_str(), facts)),
    );
    *memo = Some((age, findings.clone()));
    Observed { findings }
}

fn certificates(view: &View<CertificatePolicy>) -> Vec<(Subject, CertificateFacts)> {
    let certificates = view.all_facts(kinds::CERTIFICATE).into_iter();
    certificates
        .filter_map(|(key, facts)| {
            let facts: CertificateFacts = facts::parse(&facts)?;
            // Whether the binding names the host too is the approver's question; here it is about who asks.
            let owner = ownership::owner(&facts).filter(|(namespace, name)| {
                let binding = view.facts(CERTIFICATE_BINDING, namespace, name);
                binding.as_deref() == Some(&json!([facts.owner_uid, key.namespace]))
            });
            let namespace = owner.map_or(key.namespace.as_str(), |(namespace, _)| namespace);
            let subject = Subject {
                kind: CERTIFICATE,
                asker: shared_cache::asker(namespace, view),
                namespace: key.namespace.clone(),
                name: key.name,
                issuer: facts.issuer.clone(),
                content: content(facts.content.as_ref(), facts.flaw.as_ref()),
            };
            Some((subject, facts))
        })
        .collect()
}

/// Requests that were approved. What they say of Secret and renewal is their Certificate's.
fn requests(view: &View<CertificatePolicy>, certificates: &[(Subject, CertificateFacts)]) -> Vec<Subject> {
    let owners: HashMap<&str, &Subject> = certificates
        .iter()
        .map(|(subject, facts)| (facts.uid.as_str(), subject))
        .collect();
    let requests = view.all_facts(kinds::CERTIFICATE_REQUEST).into_iter();
    requests
        .filter_map(|(key, facts)| {
            let facts: RequestFacts = facts::parse(&facts)?;
            let owner = facts
                .certificate_uid
                .as_ref()
                .and_then(|uid| owners.get(uid.as_str()));
            let asker = match owner {
                Some(subject) => subject.asker.clone(),
                None => shared_cache::asker(&key.namespace, view),
            };
            facts.approved.then(|| Subject {
                kind: REQUEST,
                asker,
                namespace: key.namespace,
                name: key.name,
                issuer: facts.issuer.clone(),
                content: content(facts.content.as_ref(), facts.flaw.as_ref()),
            })
        })
        .collect()
}

fn content<T: Clone, E: Clone + Default>(content: Option<&T>, flaw: Option<&E>) -> Result<T, E> {
    content.cloned().ok_or_else(|| flaw.cloned().unwrap_or_default())
}
