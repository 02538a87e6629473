//! Existing objects against all policies. Pure.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::certificate_policy::Violation;

use crate::{
    certificate_request::requirements::{Issuer, Rejection, Requirements},
    rules::{Decision, Policy, Requester, decide},
};

/// An existing object: a Certificate, or an approved CertificateRequest.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The requester; absent while its namespace is not in the cache.
    pub requester: Option<Requester>,
    /// The issuer.
    pub issuer: Issuer,
    /// Its requirements.
    pub requirements: Result<Requirements, Rejection>,
}

/// The result of an audit, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many Certificates each policy allows.
    pub allowed: BTreeMap<String, usize>,
    /// Objects that no policy allows, at the closest policy.
    pub violations: BTreeMap<String, BTreeSet<Violation>>,
}

/// Compares all objects of `issuers` with all policies. Objects of other issuers are ignored.
pub fn audit(policies: &[Policy], issuers: &BTreeSet<Issuer>, subjects: &[Subject]) -> Findings {
    let mut findings = Findings::default();
    for subject in subjects
        .iter()
        .filter(|subject| issuers.contains(&subject.issuer))
    {
        let Some(requester) = &subject.requester else {
            continue;
        };
        let violation = |reason: &str, field: &str, message: String| Violation {
            kind: subject.kind.to_owned(),
            namespace: subject.namespace.clone(),
            name: subject.name.clone(),
            reason: reason.to_owned(),
            field: field.to_owned(),
            message,
        };
        match subject
            .requirements
            .as_ref()
            .map(|requirements| decide(policies, requester, requirements))
        {
            Ok(Decision::Allowed { policy }) => {
                if subject.kind == CERTIFICATE {
                    *findings.allowed.entry(policy).or_default() += 1;
                }
            }
            Ok(Decision::Denied(denial)) => {
                let (Some(policy), Some(first)) = (&denial.policy, denial.violations.first()) else {
                    continue;
                };
                let violation = violation(first.reason.name, first.field, first.message.clone());
                findings
                    .violations
                    .entry(policy.clone())
                    .or_default()
                    .insert(violation);
            }
            // What no policy can allow violates every policy that names the issuer.
            Err(rejection) => {
                for policy in policies
                    .iter()
                    .filter(|policy| policy.issuers().contains(&subject.issuer))
                {
                    let violation = violation(&rejection.reason, "", rejection.message.clone());
                    findings
                        .violations
                        .entry(policy.name.clone())
                        .or_default()
                        .insert(violation);
                }
            }
        }
    }
    findings
}

/// [`Subject::kind`] of Certificates.
pub(super) const CERTIFICATE: &str = "Certificate";
/// [`Subject::kind`] of requests.
pub(super) const REQUEST: &str = "CertificateRequest";
