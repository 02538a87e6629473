//! The [`Requirements`] of cert-manager's objects, from their `spec`.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use idp_api::certificate_policy::KeyAlgorithm;
use idp_core::duration;
use serde::Deserialize;

use crate::{
    certificate_request::{
        csr,
        requirements::{
            DEFAULT_LIFETIME, Issuer, Key, MAX_NAMES, Names, Rejection, Requirements, check_names, quoted,
            usage,
        },
        types::{CertificateRequestSpec, Text},
    },
    reasons::{
        EXTENSION_NOT_ALLOWED, NAME_KIND_NOT_ALLOWED, NAME_MALFORMED, REQUEST_MALFORMED, SUBJECT_NOT_ALLOWED,
        TOO_MANY_NAMES,
    },
};

/// The requirements of a CertificateRequest. Its Secret and renewal are in the Certificate alone.
///
/// # Errors
/// When it is malformed, or requests something that no policy can allow.
pub fn of_request(spec: &CertificateRequestSpec) -> Result<Requirements, Rejection> {
    let base64 = match &spec.request {
        Text::Base64(text) => text,
        Text::TooLong(length) => return Err(csr::too_large(length / 4 * 3)),
    };
    let pem = STANDARD
        .decode(base64)
        .map_err(|_| Rejection::new(REQUEST_MALFORMED, "The request is not valid base64."))?;
    let csr = csr::read(&pem)?;
    let is_ca = spec.is_ca || csr.is_ca;
    let mut usages = usages(&spec.usages, spec.is_ca);
    // Some issuers use the spec and some the CSR, so both must be allowed.
    usages.extend(csr.usages);
    Ok(Requirements {
        issuer: spec.issuer_ref.clone().completed(),
        names: csr.names,
        key: csr.key,
        usages,
        is_ca,
        lifetime: lifetime(spec.duration.as_deref())?,
        renew_before: None,
        secret: None,
    })
}

/// The fields of a cert-manager `Certificate` that the rules need.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateSpec {
    issuer_ref: Issuer,
    secret_name: String,
    common_name: Option<String>,
    literal_subject: Option<String>,
    subject: Option<serde_json::Map<String, serde_json::Value>>,
    dns_names: Vec<String>,
    ip_addresses: Vec<String>,
    uris: Vec<String>,
    email_addresses: Vec<String>,
    other_names: Vec<serde_json::Value>,
    name_constraints: Option<serde_json::Value>,
    #[serde(rename = "isCA")]
    is_ca: bool,
    usages: Vec<String>,
    duration: Option<String>,
    renew_before: Option<String>,
    renew_before_percentage: Option<u64>,
    private_key: PrivateKey,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PrivateKey {
    algorithm: Option<String>,
    size: Option<u32>,
}

impl CertificateSpec {
    /// The issuer.
    pub fn issuer(&self) -> Issuer {
        self.issuer_ref.clone().completed()
    }

    /// The Secret that it is written to.
    pub fn secret_name(&self) -> &str {
        &self.secret_name
    }

    /// Its requirements.
    ///
    /// # Errors
    /// As [`of_request`].
    pub fn requirements(&self) -> Result<Requirements, Rejection> {
        let lifetime = lifetime(self.duration.as_deref())?;
        Ok(Requirements {
            issuer: self.issuer(),
            names: self.names()?,
            key: self.private_key.key(),
            usages: usages(&self.usages, self.is_ca),
            is_ca: self.is_ca,
            lifetime,
            renew_before: Some(self.renew_before(lifetime)),
            secret: Some(self.secret_name.clone()),
        })
    }

    fn names(&self) -> Result<Names, Rejection> {
        if !self.email_addresses.is_empty() || !self.other_names.is_empty() {
            return Err(Rejection::new(NAME_KIND_NOT_ALLOWED, NAME_KIND_NOT_ALLOWED.means));
        }
        let subject = self.subject.as_ref().is_some_and(|subject| !subject.is_empty());
        if subject || self.literal_subject.is_some() {
            return Err(Rejection::new(SUBJECT_NOT_ALLOWED, SUBJECT_NOT_ALLOWED.means));
        }
        if self.name_constraints.is_some() {
            return Err(Rejection::new(
                EXTENSION_NOT_ALLOWED,
                "Name constraints are not allowed.",
            ));
        }
        if self.dns_names.len() + self.ip_addresses.len() + self.uris.len() > MAX_NAMES {
            return Err(Rejection::new(
                TOO_MANY_NAMES,
                format!("The certificate has more than {MAX_NAMES} names."),
            ));
        }
        let mut names = Names::default();
        self.dns_names.iter().try_for_each(|name| names.add_dns(name))?;
        self.uris.iter().try_for_each(|uri| names.add_uri(uri))?;
        for ip in &self.ip_addresses {
            let ip = ip.parse().map_err(|_| {
                Rejection::new(
                    NAME_MALFORMED,
                    format!("{} is not a valid IP address.", quoted(ip)),
                )
            })?;
            names.add_ip(ip);
        }
        check_names(&names, self.common_name.as_deref())?;
        Ok(names)
    }

    /// As cert-manager computes it: renewBefore, renewBeforePercentage, or a third of the lifetime.
    fn renew_before(&self, lifetime: u64) -> u64 {
        let written = self.renew_before.as_deref().and_then(duration::seconds);
        let percentage = self
            .renew_before_percentage
            .map(|percentage| lifetime / 100 * percentage.min(100));
        written
            .or(percentage)
            .filter(|seconds| (1..lifetime).contains(seconds))
            .unwrap_or(lifetime / 3)
    }
}

impl PrivateKey {
    fn key(&self) -> Key {
        let algorithm = match self.algorithm.as_deref() {
            Some("ECDSA") => KeyAlgorithm::Ecdsa,
            Some("Ed25519") => KeyAlgorithm::Ed25519,
            _ => KeyAlgorithm::Rsa,
        };
        let default = if algorithm == KeyAlgorithm::Rsa { 2048 } else { 256 };
        let size = self.size.filter(|size| *size > 0).unwrap_or(default);
        Key { algorithm, size }
    }
}

fn lifetime(written: Option<&str>) -> Result<u64, Rejection> {
    let Some(text) = written else {
        return Ok(DEFAULT_LIFETIME);
    };
    match duration::seconds(text) {
        Some(0) => Ok(DEFAULT_LIFETIME),
        Some(seconds) => Ok(seconds),
        None => Err(Rejection::new(
            REQUEST_MALFORMED,
            format!("Duration {} is not valid.", quoted(text)),
        )),
    }
}

/// The usages that issuers use: cert-manager's defaults if there are none, and signing for a CA.
fn usages(written: &[String], is_ca: bool) -> BTreeSet<String> {
    let mut usages: BTreeSet<String> = written.iter().cloned().map(usage).collect();
    if usages.is_empty() {
        usages.extend(["digital signature", "key encipherment"].map(str::to_owned));
    }
    if is_ca {
        usages.insert("cert sign".to_owned());
    }
    usages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn certificate(spec: serde_json::Value) -> Result<Requirements, Rejection> {
        serde_json::from_value::<CertificateSpec>(spec)
            .unwrap()
            .requirements()
    }

    #[test]
    fn defaults_are_cert_managers() {
        let requirements = certificate(json!({
            "issuerRef": {"name": "ca"}, "secretName": "a-tls", "dnsNames": ["A.b"], "commonName": "a.B"
        }))
        .unwrap();
        assert_eq!(requirements.issuer.to_string(), "Issuer ca");
        assert_eq!(requirements.key.to_string(), "RSA with 2048 bits");
        assert_eq!(requirements.lifetime, 90 * 86_400);
        assert_eq!(requirements.renew_before, Some(30 * 86_400));
        assert_eq!(requirements.secret.as_deref(), Some("a-tls"));
        assert!(requirements.usages.contains("key encipherment"));
    }

    #[test]
    fn certificates_that_no_policy_can_allow() {
        let reason = |more: serde_json::Value| {
            let mut spec = json!({"issuerRef": {"name": "ca"}, "secretName": "a", "dnsNames": ["a.b"]});
            spec.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            certificate(spec).unwrap_err().reason
        };
        assert_eq!(reason(json!({"commonName": "c.d"})), "CommonNameNotListed");
        assert_eq!(reason(json!({"emailAddresses": ["a@b.c"]})), "NameKindNotAllowed");
        assert_eq!(
            reason(json!({"subject": {"organizations": ["system:masters"]}})),
            "SubjectNotAllowed"
        );
        assert_eq!(
            reason(json!({"literalSubject": "O=system:masters"})),
            "SubjectNotAllowed"
        );
        assert_eq!(reason(json!({"dnsNames": ["xn--a"]})), "NameMalformed");
        assert_eq!(reason(json!({"ipAddresses": ["1.2.3"]})), "NameMalformed");
        assert_eq!(reason(json!({"duration": "a year"})), "RequestMalformed");
        let many: Vec<String> = (0..101).map(|n| format!("n{n}.b")).collect();
        assert_eq!(reason(json!({"dnsNames": many})), TOO_MANY_NAMES);
    }
}
