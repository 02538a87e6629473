//! Reads the caches: existing objects -> [`Observed`].

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use idp_api::kinds::CERTIFICATE_BINDING;
use kube::ResourceExt;
use serde_json::json;

use super::{
    findings::{CERTIFICATE, Findings, REQUEST, Subject, audit},
    metrics,
};
use crate::{
    certificate_request::ownership,
    facts::{self, CertificateFacts, RequestFacts},
    kinds,
    shared_cache::{self, SharedCache},
};

/// What a policy's status depends on.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The result of the last audit, for all policies.
    pub findings: Arc<Findings>,
}

/// One audit, which all policies share.
#[derive(Debug, Default)]
pub(super) struct SharedAudit {
    /// Counts batches of changes to other objects than policies.
    batch: Arc<AtomicU64>,
    last: Mutex<Option<(Version, Arc<Findings>)>>,
}

/// The state of the caches that an audit is of: batch of changes, and name, UID and generation of each policy.
type Version = (u64, Vec<(String, String, Option<i64>)>);

impl SharedAudit {
    /// Counts batches; the next reconcile after a new one audits again.
    pub(super) fn batch(&self) -> Arc<AtomicU64> {
        self.batch.clone()
    }
}

/// Audits, unless the last audit is of the same state.
pub(super) fn observe(shared: &SharedAudit, view: &SharedCache) -> Observed {
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
    let version = (shared.batch.load(Ordering::Relaxed), generations);
    let mut last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, findings)) = last.as_ref().filter(|(audited, _)| *audited == version) {
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
    *last = Some((version, findings.clone()));
    Observed { findings }
}

fn certificates(view: &SharedCache) -> Vec<(Subject, CertificateFacts)> {
    let certificates = view.all_facts(kinds::CERTIFICATE).into_iter();
    certificates
        .filter_map(|(key, facts)| {
            let facts: CertificateFacts = facts::parse(&facts)?;
            // Whether the binding lists the host is checked by the approver; here only the requester matters.
            let owner = ownership::owner(&facts).filter(|(namespace, name)| {
                let binding = view.facts(CERTIFICATE_BINDING, namespace, name);
                binding.as_deref() == Some(&json!([facts.owner_uid, key.namespace]))
            });
            let namespace = owner.map_or(key.namespace.as_str(), |(namespace, _)| namespace);
            let subject = Subject {
                kind: CERTIFICATE,
                requester: shared_cache::requester(namespace, view),
                namespace: key.namespace.clone(),
                name: key.name,
                issuer: facts.issuer.clone(),
                requirements: requirements(facts.requirements.as_ref(), facts.rejection.as_ref()),
            };
            Some((subject, facts))
        })
        .collect()
}

/// Approved requests. The Secret and renewal are checked for their Certificate.
fn requests(view: &SharedCache, certificates: &[(Subject, CertificateFacts)]) -> Vec<Subject> {
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
            let requester = match owner {
                Some(subject) => subject.requester.clone(),
                None => shared_cache::requester(&key.namespace, view),
            };
            facts.approved.then(|| Subject {
                kind: REQUEST,
                requester,
                namespace: key.namespace,
                name: key.name,
                issuer: facts.issuer.clone(),
                requirements: requirements(facts.requirements.as_ref(), facts.rejection.as_ref()),
            })
        })
        .collect()
}

fn requirements<T: Clone, E: Clone + Default>(
    requirements: Option<&T>,
    rejection: Option<&E>,
) -> Result<T, E> {
    requirements
        .cloned()
        .ok_or_else(|| rejection.cloned().unwrap_or_default())
}
