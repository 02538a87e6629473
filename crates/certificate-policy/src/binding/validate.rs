//! (Binding, [`Observed`]) -> [`Validated`], or all problems. Pure.

use idp_api::CertificateBinding;
use idp_core::Problem;
use kube::ResourceExt;

use super::observe::Observed;
use crate::{
    certificate_request::requirements::{Issuer, Requirements},
    problems::{denied, host_taken, not_allowed_any_more},
    rules, secret,
};

/// A binding whose hosts can all have a certificate.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// Name of the application.
    pub application: String,
    /// Namespace of the gateway.
    pub gateway: String,
    /// The hosts.
    pub hosts: Vec<ValidHost>,
    /// Hosts whose certificate will not be renewed.
    pub warnings: Vec<Problem>,
}

/// A host that can have a certificate.
#[derive(Clone, Debug)]
pub struct ValidHost {
    /// The host.
    pub host: String,
    /// The field of the application that names it.
    pub path: String,
    /// Name of the Secret and of its Certificate.
    pub secret: String,
    /// The policy that allows it; absent if it is only kept.
    pub policy: Option<String>,
    /// Requirements of its Certificate; absent if it is left unchanged.
    pub requirements: Option<Requirements>,
    /// Whether another binding of the same application owns the Certificate.
    pub shared: bool,
    /// Whether to recreate it because it was denied under other policies. cert-manager would retry only after an hour.
    pub recreate: bool,
}

/// Checks the binding, which a tenant may have written, and every host.
///
/// # Errors
/// All problems, if one host cannot have a certificate, or the binding does not follow the Environment.
pub fn validate(binding: &CertificateBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let issuer = Issuer::from(&binding.spec.issuer);
    let settings = observed
        .settings
        .as_ref()
        .map_err(|problem| vec![problem.clone()])?;
    let mut problems = settings.check(binding, &issuer, &observed.requester);
    let mut validated = Validated {
        application: binding.spec.application.clone(),
        gateway: settings.gateway.clone(),
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
            requirements: None,
            shared: known.shared,
            recreate: false,
        };
        match rules::plan(&observed.policies, &observed.requester, &issuer, host, &secret) {
            Ok((policy, requirements)) => {
                valid.recreate = known.denied_before;
                valid.policy = Some(policy);
                valid.requirements = Some(requirements);
            }
            Err(denial) => {
                let valid_still = known.certificate.as_ref().is_some_and(|certificate| {
                    certificate.is_issued() && certificate.owner_uid == binding.uid()
                });
                if !valid_still {
                    problems.push(denied(host, path, &denial));
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
