//! What exists, against all policies.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::certificate_policy::Violation;

use crate::{
    certificate_request::requirements::{Content, Flaw, Issuer},
    rules::{Asker, Decision, Policy, decide},
};

/// An object that exists: a Certificate, or a request that somebody approved.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who asks for it; absent while the namespace is not known.
    pub asker: Option<Asker>,
    /// Who signs it.
    pub issuer: Issuer,
    /// What it asks for.
    pub content: Result<Content, Flaw>,
}

/// What was found, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many Certificates each policy allows.
    pub allowed: BTreeMap<String, usize>,
    /// What no policy allows, at the one that comes nearest.
    pub violations: BTreeMap<String, BTreeSet<Violation>>,
}

/// Judges everything that concerns one of `issuers`. Certificates of other issuers are nobody's business.
pub fn audit(policies: &[Policy], issuers: &BTreeSet<Issuer>, subjects: &[Subject]) -> Findings {
    let mut findings = Findings::default();
    for subject in subjects
        .iter()
        .filter(|subject| issuers.contains(&subject.issuer))
    {
        let Some(asker) = &subject.asker else { continue };
        let violation = |reason: &str, field: &str, message: String| Violation {
            kind: subject.kind.to_owned(),
            namespace: subject.namespace.clone(),
            name: subject.name.clone(),
            reason: reason.to_owned(),
            field: field.to_owned(),
            message,
        };
        match subject
            .content
            .as_ref()
            .map(|content| decide(policies, asker, content))
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
                let told = violation(first.reason, first.field, first.message.clone());
                findings
                    .violations
                    .entry(policy.clone())
                    .or_default()
                    .insert(told);
            }
            // Every policy that names the issuer is violated by what none can allow.
            Err(flaw) => {
                for policy in policies
                    .iter()
                    .filter(|policy| policy.issuers().contains(&subject.issuer))
                {
                    let told = violation(&flaw.reason, "", flaw.message.clone());
                    findings
                        .violations
                        .entry(policy.name.clone())
                        .or_default()
                        .insert(told);
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
