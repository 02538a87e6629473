//! (Binding, [`Observed`]) -> [`Validated`], or everything that is wrong. Pure.

use idp_api::CertificateBinding;
use idp_core::Problem;
use kube::ResourceExt;

use super::Observed;
use crate::{
    certificate_request::requirements::Content,
    host_claim::issuer,
    problems::{host_taken, not_allowed_any_more},
    rules, secret,
};

/// A binding whose hosts all may have a certificate.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// Name of the application.
    pub application: String,
    /// Namespace of the gateway.
    pub gateway: String,
    /// The hosts.
    pub hosts: Vec<ValidHost>,
    /// What works, but not for ever.
    pub warnings: Vec<Problem>,
}

/// A host that has or gets a certificate.
#[derive(Clone, Debug)]
pub struct ValidHost {
    /// The host.
    pub host: String,
    /// Where the application names it.
    pub path: String,
    /// The Secret, and the Certificate that fills it.
    pub secret: String,
    /// The policy that allows it; absent when it is only kept.
    pub policy: Option<String>,
    /// What its certificate is to be; absent when it is left as it is.
    pub content: Option<Content>,
    /// Whether another binding of the same application has the Certificate.
    pub shared: bool,
    /// Whether the last attempt was denied under other policies: it is made anew, or cert-manager would wait an hour.
    pub anew: bool,
}

/// Checks every host.
///
/// # Errors
/// With one host that cannot have a certificate nothing is changed, nor where the binding says otherwise than the
/// Environment: anybody may have written it.
pub fn validate(binding: &CertificateBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let issuer = issuer(binding);
    let terms = observed.terms.as_ref().map_err(|problem| vec![problem.clone()])?;
    let mut problems = terms.check(binding, &issuer, &observed.asker);
    let mut validated = Validated {
        application: binding.spec.application.clone(),
        gateway: terms.gateway.clone(),
        ..Validated::default()
    };
    for (bound, known) in binding.spec.hosts.iter().zip(&observed.hosts) {
        let (host, path) = (&bound.host, &bound.path);
        if let Some(holder) = known.holder.as_ref().filter(|_| !known.shared) {
            problems.push(host_taken(host, path, holder));
            continue;
        }
        let secret = secret::name(host);
        let mut valid = ValidHost {
            host: host.clone(),
            path: path.clone(),
            secret: secret.clone(),
            policy: None,
            content: None,
            shared: known.shared,
            anew: false,
        };
        match rules::plan(&observed.policies, &observed.asker, &issuer, host, &secret) {
            Ok((policy, content)) => {
                valid.anew = known.denied_before;
                valid.policy = Some(policy);
                valid.content = Some(content);
            }
            Err(denial) => {
                let valid_still = known.certificate.as_ref().is_some_and(|certificate| {
                    certificate.is_issued() && certificate.owner_uid == binding.uid()
                });
                if !valid_still {
                    problems.push(denial.problem(host, path));
                    continue;
                }
                validated.warnings.push(not_allowed_any_more(host, path, &denial));
            }
        }
        validated.hosts.push(valid);
    }
    if problems.is_empty() {
        Ok(validated)
    } else {
        Err(problems)
    }
}
