//! What a certificate would be, whoever asks for it: the one thing that rules look at.

use std::{collections::BTreeSet, net::IpAddr};

use idp_api::certificate_policy::KeyAlgorithm;
use serde::{Deserialize, Serialize};

use crate::uri::normal_uri;
use idp_core::names::DnsName;

/// How long a certificate is valid that says nothing: cert-manager's default, 90 days.
pub const DEFAULT_LIFETIME: u64 = 90 * 86_400;
/// Most names that a certificate may be for, as at the public certificate authorities.
pub const MOST_NAMES: usize = 100;

/// An issuer, completely named.
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
    /// Fills in cert-manager's defaults for what is not said.
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

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its bits.
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

/// What no policy can allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// One word in CamelCase.
    pub reason: String,
    /// What is wrong.
    pub message: String,
}

impl Flaw {
    /// A flaw.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// Names that a certificate is for, normalised.
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
    /// When it is none.
    pub fn add_dns(&mut self, text: &str) -> Result<(), Flaw> {
        match DnsName::parse(text) {
            Ok(name) => {
                self.dns.insert(name.to_string());
                Ok(())
            }
            Err(why) => Err(Flaw::new(
                "NameMalformed",
                format!("{} is no DNS name: {why}", shown(text)),
            )),
        }
    }

    /// Adds an address. One that is mapped into IPv6 is the address that it stands for.
    pub fn add_ip(&mut self, ip: IpAddr) {
        self.ips.insert(ip.to_canonical());
    }

    /// Adds a URI.
    ///
    /// # Errors
    /// When it is none.
    pub fn add_uri(&mut self, text: &str) -> Result<(), Flaw> {
        match normal_uri(text) {
            Ok(uri) => {
                self.uris.insert(uri);
                Ok(())
            }
            Err(why) => Err(Flaw::new(
                "NameMalformed",
                format!("{} is no URI that can be judged: {why}", shown(text)),
            )),
        }
    }

    /// Whether `common_name` is one of the names. Verifiers that still read it must find nothing new there.
    pub fn cover(&self, common_name: &str) -> bool {
        let dns = DnsName::parse(common_name).is_ok_and(|name| self.dns.contains(&name.to_string()));
        let ip = common_name
            .parse::<IpAddr>()
            .is_ok_and(|ip| self.ips.contains(&ip.to_canonical()));
        let uri = normal_uri(common_name).is_ok_and(|uri| self.uris.contains(&uri));
        dns || ip || uri
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.dns.len() + self.ips.len() + self.uris.len()
    }
}

/// What a certificate would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Who is to sign.
    pub issuer: Issuer,
    /// What it is for.
    pub names: Names,
    /// Its key.
    pub key: Key,
    /// What it may be used for, in cert-manager's words.
    pub usages: BTreeSet<String>,
    /// Whether it may sign others.
    #[serde(default)]
    pub is_ca: bool,
    /// How long it is valid, in seconds.
    pub lifetime: u64,
    /// How long before its end it is renewed, in seconds; absent where nothing renews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<u64>,
    /// Name of the Secret that it goes to; absent where it goes to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A text of a stranger, so that it can stand in a message: short, and without control characters.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_default)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}

/// Checks what concerns the names together.
///
/// # Errors
/// When there are none, or too many, or the common name is another one.
pub fn check_names(names: &Names, common_name: Option<&str>) -> Result<(), Flaw> {
    if names.count() > MOST_NAMES {
        return Err(Flaw::new(
            "TooManyNames",
            format!("it is for {} names; {MOST_NAMES} are allowed", names.count()),
        ));
    }
    if let Some(common_name) = common_name.filter(|name| !names.cover(name)) {
        return Err(Flaw::new(
            "CommonNameNotListed",
            format!(
                "its common name {} is not among its subject alternative names",
                shown(common_name)
            ),
        ));
    }
    if names.count() == 0 {
        return Err(Flaw::new("NoName", "it is for no DNS name, address or URI"));
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
            let flaw = check_names(&names, Some(other)).unwrap_err();
            assert_eq!(flaw.reason, "CommonNameNotListed", "{other}");
        }
        assert_eq!(check_names(&Names::default(), None).unwrap_err().reason, "NoName");
    }

    #[test]
    fn strange_texts_are_shown_safely() {
        assert_eq!(shown("a\n\u{202e}b"), "'a\\n\\u{202e}b'");
        assert!(shown(&"x".repeat(10_000)).len() < 100);
    }
}
