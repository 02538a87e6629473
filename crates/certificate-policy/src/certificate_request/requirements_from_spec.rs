//! What cert-manager's objects ask for, as [`Content`].

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use idp_api::certificate_policy::KeyAlgorithm;
use serde::Deserialize;

use idp_core::duration;

use crate::{
    certificate_request::{
        csr,
        requirements::{Content, DEFAULT_LIFETIME, Flaw, Issuer, Key, MOST_NAMES, Names, check_names},
        types::{CertificateRequestSpec, Text},
    },
    rules,
};

/// What a request asks for; what its Certificate says of Secret and renewal is not in it.
///
/// # Errors
/// When it cannot be judged, or asks for what no policy can allow.
pub fn request(spec: &CertificateRequestSpec) -> Result<Content, Flaw> {
    let base64 = match &spec.request {
        Text::Base64(text) => text,
        Text::TooLong(length) => return Err(csr::too_large(length / 4 * 3)),
    };
    let pem = STANDARD
        .decode(base64)
        .map_err(|_| Flaw::new("RequestMalformed", "it is no base64"))?;
    let csr = csr::read(&pem)?;
    let is_ca = spec.is_ca || csr.is_ca;
    let mut usages = usages(&spec.usages, spec.is_ca);
    // Issuers heed the one or the other: both must be allowed.
    usages.extend(csr.usages);
    Ok(Content {
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

/// The spec of cert-manager's `Certificate`, as far as rules need it.
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
    /// Who is to sign.
    pub fn issuer(&self) -> Issuer {
        self.issuer_ref.clone().completed()
    }

    /// The Secret that it is written to.
    pub fn secret_name(&self) -> &str {
        &self.secret_name
    }

    /// What it asks for.
    ///
    /// # Errors
    /// As [`request`].
    pub fn content(&self) -> Result<Content, Flaw> {
        let lifetime = lifetime(self.duration.as_deref())?;
        Ok(Content {
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

    fn names(&self) -> Result<Names, Flaw> {
        if !self.email_addresses.is_empty() || !self.other_names.is_empty() {
            return Err(Flaw::new(
                "NameKindNotAllowed",
                "it is for a name that is neither DNS name, address nor URI; no policy can allow that",
            ));
        }
        let subject = self.subject.as_ref().is_some_and(|subject| !subject.is_empty());
        if subject || self.literal_subject.is_some() {
            return Err(Flaw::new(
                "SubjectNotAllowed",
                "its subject holds more than one common name: who reads certificates may take it for a right",
            ));
        }
        if self.name_constraints.is_some() {
            return Err(Flaw::new(
                "ExtensionNotAllowed",
                "it asks for name constraints, which no policy can allow",
            ));
        }
        if self.dns_names.len() + self.ip_addresses.len() + self.uris.len() > MOST_NAMES {
            return Err(Flaw::new(
                "TooManyNames",
                format!("it is for more than {MOST_NAMES} names"),
            ));
        }
        let mut names = Names::default();
        self.dns_names.iter().try_for_each(|name| names.add_dns(name))?;
        self.uris.iter().try_for_each(|uri| names.add_uri(uri))?;
        for ip in &self.ip_addresses {
            let ip = ip
                .parse()
                .map_err(|_| Flaw::new("NameMalformed", format!("{ip} is no address")))?;
            names.add_ip(ip);
        }
        check_names(&names, self.common_name.as_deref())?;
        Ok(names)
    }

    /// As cert-manager computes it: what is asked for, a percentage, or a third of its life.
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

fn lifetime(written: Option<&str>) -> Result<u64, Flaw> {
    let Some(text) = written else {
        return Ok(DEFAULT_LIFETIME);
    };
    match duration::seconds(text) {
        Some(0) => Ok(DEFAULT_LIFETIME),
        Some(seconds) => Ok(seconds),
        None => Err(Flaw::new(
            "RequestMalformed",
            "its duration is none that can be judged",
        )),
    }
}

/// The usages that issuers see: cert-manager's defaults where nothing is asked for, and signing for a CA.
fn usages(written: &[String], is_ca: bool) -> BTreeSet<String> {
    let mut usages: BTreeSet<String> = written.iter().cloned().map(rules::usage).collect();
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

    fn certificate(spec: serde_json::Value) -> Result<Content, Flaw> {
        serde_json::from_value::<CertificateSpec>(spec).unwrap().content()
    }

    #[test]
    fn defaults_are_cert_managers() {
        let content = certificate(json!({
            "issuerRef": {"name": "ca"}, "secretName": "a-tls", "dnsNames": ["A.b"], "commonName": "a.B"
        }))
        .unwrap();
        assert_eq!(content.issuer.to_string(), "Issuer ca");
        assert_eq!(content.key.to_string(), "RSA with 2048 bits");
        assert_eq!(content.lifetime, 90 * 86_400);
        assert_eq!(content.renew_before, Some(30 * 86_400));
        assert_eq!(content.secret.as_deref(), Some("a-tls"));
        assert!(content.usages.contains("key encipherment"));
    }

    #[test]
    fn what_no_policy_can_allow() {
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
        assert_eq!(reason(json!({"dnsNames": many})), "TooManyNames");
    }
}
