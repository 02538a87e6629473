//! What a certificate requires of a policy, whichever object requests it. Besides the requester this is the only input of
//! the rules.

use std::{collections::BTreeSet, net::IpAddr};

use idp_api::{
    certificate_binding::IssuerRef, certificate_policy::KeyAlgorithm, environment::CertificateDefaults,
};
use idp_core::{Reason, names::DnsName};
use serde::{Deserialize, Serialize};

use crate::{
    reasons::{COMMON_NAME_NOT_LISTED, NAME_MALFORMED, NO_NAME, TOO_MANY_NAMES},
    uri::normal_uri,
};

/// Default lifetime of a certificate, as in cert-manager: 90 days.
pub const DEFAULT_LIFETIME: u64 = 90 * 86_400;
/// Maximum number of names of a certificate, as at public certificate authorities.
pub const MAX_NAMES: usize = 100;

/// Reference to an issuer, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Issuer {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(default = "issuer")]
    pub kind: String,
    /// Its API group.
    #[serde(default = "cert_manager")]
    pub group: String,
}

fn issuer() -> String {
    "Issuer".to_owned()
}

fn cert_manager() -> String {
    "cert-manager.io".to_owned()
}

impl Issuer {
    /// One of cert-manager's own.
    pub fn of_cert_manager(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            group: cert_manager(),
        }
        .completed()
    }

    /// Fills in cert-manager's defaults.
    #[must_use]
    pub fn completed(mut self) -> Self {
        if self.kind.is_empty() {
            self.kind = issuer();
        }
        if self.group.is_empty() {
            self.group = cert_manager();
        }
        self
    }
}

impl From<&IssuerRef> for Issuer {
    fn from(issuer: &IssuerRef) -> Self {
        Self::of_cert_manager(&issuer.name, &issuer.kind)
    }
}

impl From<&CertificateDefaults> for Issuer {
    fn from(certificates: &CertificateDefaults) -> Self {
        Self::of_cert_manager(&certificates.issuer, &certificates.kind)
    }
}

impl std::fmt::Display for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        if self.group == "cert-manager.io" {
            Ok(())
        } else {
            write!(f, " ({})", self.group)
        }
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its size in bits.
    pub size: u32,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.algorithm {
            KeyAlgorithm::Rsa => write!(f, "RSA with {} bits", self.size),
            KeyAlgorithm::Ecdsa => write!(f, "ECDSA with {} bits", self.size),
            KeyAlgorithm::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// Why no policy can allow a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// One word in CamelCase.
    pub reason: String,
    /// What is wrong.
    pub message: String,
}

impl Rejection {
    /// A rejection.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason: reason.name.to_owned(),
            message: message.into(),
        }
    }
}

/// Subject alternative names, normalized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// DNS names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dns: BTreeSet<String>,
    /// IP addresses.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ips: BTreeSet<IpAddr>,
    /// URIs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uris: BTreeSet<String>,
}

impl Names {
    /// Adds a DNS name.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn add_dns(&mut self, text: &str) -> Result<(), Rejection> {
        match DnsName::parse(text) {
            Ok(name) => {
                self.dns.insert(name.to_string());
                Ok(())
            }
            Err(why) => Err(Rejection::new(
                NAME_MALFORMED,
                format!("{} is not a valid DNS name: {why}.", quoted(text)),
            )),
        }
    }

    /// Adds an IP address. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn add_ip(&mut self, ip: IpAddr) {
        self.ips.insert(ip.to_canonical());
    }

    /// Adds a URI.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn add_uri(&mut self, text: &str) -> Result<(), Rejection> {
        match normal_uri(text) {
            Ok(uri) => {
                self.uris.insert(uri);
                Ok(())
            }
            Err(why) => Err(Rejection::new(
                NAME_MALFORMED,
                format!("{} is not a valid URI: {why}.", quoted(text)),
            )),
        }
    }

    /// Whether `common_name` is one of the names. Some clients still verify it, so it must not add a name.
    pub fn contains(&self, common_name: &str) -> bool {
        let dns = DnsName::parse(common_name).is_ok_and(|name| self.dns.contains(&name.to_string()));
        let ip = common_name
            .parse::<IpAddr>()
            .is_ok_and(|ip| self.ips.contains(&ip.to_canonical()));
        let uri = normal_uri(common_name).is_ok_and(|uri| self.uris.contains(&uri));
        dns || ip || uri
    }

    /// The number of names.
    pub fn count(&self) -> usize {
        self.dns.len() + self.ips.len() + self.uris.len()
    }
}

/// What a certificate requires of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// The issuer.
    pub issuer: Issuer,
    /// Its subject alternative names.
    pub names: Names,
    /// Its key.
    pub key: Key,
    /// Its usages, in cert-manager's terms.
    pub usages: BTreeSet<String>,
    /// Whether it is a CA certificate.
    #[serde(default)]
    pub is_ca: bool,
    /// Its lifetime in seconds.
    pub lifetime: u64,
    /// How long before its expiry it is renewed, in seconds; absent if nothing renews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<u64>,
    /// Name of the Secret that it is written to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The one term for a usage of which cert-manager has two.
pub(crate) fn usage(written: String) -> String {
    match written.as_str() {
        "signing" => "digital signature".to_owned(),
        "s/mime" => "email protection".to_owned(),
        _ => written,
    }
}

/// A text from a user, safe to show in a message: short, and without control characters.
pub fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut quoted: String = text
        .chars()
        .take(MAX_CHARS)
        .flat_map(char::escape_default)
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        quoted.push('…');
    }
    format!("'{quoted}'")
}

/// Checks the names as a whole.
///
/// # Errors
/// When there are none, or too many, or the common name is not one of them.
pub fn check_names(names: &Names, common_name: Option<&str>) -> Result<(), Rejection> {
    if names.count() > MAX_NAMES {
        return Err(Rejection::new(
            TOO_MANY_NAMES,
            format!(
                "The certificate has {} names; at most {MAX_NAMES} are allowed.",
                names.count()
            ),
        ));
    }
    if let Some(common_name) = common_name.filter(|name| !names.contains(name)) {
        return Err(Rejection::new(
            COMMON_NAME_NOT_LISTED,
            format!(
                "The common name {} is not one of the subject alternative names.",
                quoted(common_name)
            ),
        ));
    }
    if names.count() == 0 {
        return Err(Rejection::new(NO_NAME, NO_NAME.means));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_must_be_listed() {
        let mut names = Names::default();
        names.add_dns("Shop.example.com").unwrap();
        names.add_ip("::ffff:10.0.0.1".parse().unwrap());
        for listed in ["shop.example.COM.", "10.0.0.1"] {
            assert_eq!(check_names(&names, Some(listed)), Ok(()), "{listed}");
        }
        for other in ["example.com", "", "10.0.0.2", "My Shop", "*.example.com"] {
            let rejection = check_names(&names, Some(other)).unwrap_err();
            assert_eq!(rejection.reason, "CommonNameNotListed", "{other}");
        }
        assert_eq!(check_names(&Names::default(), None).unwrap_err().reason, "NoName");
    }

    #[test]
    fn texts_of_users_are_quoted_safely() {
        assert_eq!(quoted("a\n\u{202e}b"), "'a\\n\\u{202e}b'");
        assert!(quoted(&"x".repeat(10_000)).len() < 100);
    }
}
