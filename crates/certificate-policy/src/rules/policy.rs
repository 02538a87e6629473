//! A policy as it is compared: every entry read once.

use std::collections::BTreeSet;

use idp_api::certificate_policy::{
    AllowedKey, Bounds as Written, CertificatePolicySpec, KeyAlgorithm, NamespaceSelector,
};
use idp_core::{Problem, duration};
use ipnet::IpNet;

use crate::{
    certificate_request::requirements::{Content, DEFAULT_LIFETIME, Issuer, Key, Names},
    uri::UriPattern,
};
use idp_core::names::{DnsPattern, Malformed};

const USAGES: [&str; 3] = ["digital signature", "key encipherment", "server auth"];
const SECRET_NAME: &str = "*-tls";
/// Reason of an entry that cannot be understood.
const INVALID_ENTRY: &str = "InvalidEntry";

/// Shortest and longest time, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At least this.
    pub min: Option<u64>,
    /// At most this.
    pub max: Option<u64>,
}

impl Bounds {
    /// The nearest time that is allowed.
    fn nearest(self, seconds: u64) -> u64 {
        let low = self.min.map_or(seconds, |min| seconds.max(min));
        self.max.map_or(low, |max| low.min(max))
    }
}

/// A policy, read.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    pub(super) namespaces: Vec<NamespaceSelector>,
    pub(super) dns: Vec<DnsPattern>,
    pub(super) ips: Vec<IpNet>,
    pub(super) uris: Vec<UriPattern>,
    pub(super) issuers: Vec<Issuer>,
    pub(super) keys: Vec<Key>,
    pub(super) usages: BTreeSet<String>,
    pub(super) lifetime: Bounds,
    pub(super) renew_before: Bounds,
    pub(super) secret_names: Vec<String>,
    pub(super) allow_ca: bool,
    /// Entries that could not be read. They allow nothing.
    pub problems: Vec<Problem>,
}

/// What the platform's own certificates are under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    key: Key,
    usages: BTreeSet<String>,
    lifetime: u64,
    renew_before: u64,
}

impl Template {
    /// The certificate of one host.
    pub fn content(&self, issuer: &Issuer, host: &str, secret: &str) -> Content {
        let names = Names {
            dns: [host.to_owned()].into(),
            ..Names::default()
        };
        Content {
            issuer: issuer.clone(),
            names,
            key: self.key,
            usages: self.usages.clone(),
            is_ca: false,
            lifetime: self.lifetime,
            renew_before: Some(self.renew_before),
            secret: Some(secret.to_owned()),
        }
    }
}

impl Policy {
    /// Reads a policy. What cannot be read allows nothing, and is a problem.
    pub fn read(name: &str, spec: &CertificatePolicySpec) -> Self {
        let mut problems = Vec::new();
        let names = &spec.names;
        let mut dns = entries(
            &names.dns.exact,
            "spec.names.dns.exact",
            DnsPattern::exact,
            &mut problems,
        );
        dns.extend(entries(
            &names.dns.suffixes,
            "spec.names.dns.suffixes",
            DnsPattern::below,
            &mut problems,
        ));
        dns.extend(entries(
            &names.dns.patterns,
            "spec.names.dns.patterns",
            DnsPattern::labels,
            &mut problems,
        ));
        let issuers = spec.issuers.iter().map(|issuer| Issuer {
            name: issuer.name.clone(),
            kind: issuer.kind.clone(),
            group: issuer.group.clone(),
        });
        let list = |written: &[String], default: &[&str]| -> Vec<String> {
            if written.is_empty() {
                default.iter().map(|entry| (*entry).to_owned()).collect()
            } else {
                written.to_vec()
            }
        };
        Self {
            name: name.to_owned(),
            namespaces: spec.namespaces.clone(),
            dns,
            ips: entries(&names.ips, "spec.names.ips", network, &mut problems),
            uris: entries(&names.uris, "spec.names.uris", UriPattern::parse, &mut problems),
            issuers: issuers.map(Issuer::completed).collect(),
            keys: keys(&spec.keys),
            usages: list(&spec.usages, &USAGES).into_iter().map(usage).collect(),
            lifetime: bounds(&spec.lifetime, "spec.lifetime", &mut problems),
            renew_before: bounds(&spec.renew_before, "spec.renewBefore", &mut problems),
            secret_names: list(&spec.secret_names, &[SECRET_NAME]),
            allow_ca: spec.allow_ca,
            problems,
        }
    }

    /// The issuers that it names.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// What it allows of DNS names.
    pub fn dns(&self) -> &[DnsPattern] {
        &self.dns
    }

    /// Whose requests it may allow.
    pub fn namespaces(&self) -> &[NamespaceSelector] {
        &self.namespaces
    }

    /// What the platform's own certificates are under it: for web servers, with the first of its keys, and with times
    /// as near to cert-manager's own as it allows.
    pub fn template(&self) -> Template {
        let lifetime = self.lifetime.nearest(DEFAULT_LIFETIME);
        let key = self.keys.first().copied().unwrap_or(Key {
            algorithm: KeyAlgorithm::Ecdsa,
            size: 256,
        });
        // RSA alone can encipher keys; asking for it with another key is what some clients refuse.
        let wanted = USAGES
            .iter()
            .filter(|usage| key.algorithm == KeyAlgorithm::Rsa || **usage != "key encipherment");
        Template {
            key,
            usages: wanted.map(|usage| (*usage).to_owned()).collect(),
            lifetime,
            renew_before: self.renew_before.nearest(lifetime / 3).min(lifetime / 2),
        }
    }
}

/// One word for each usage: cert-manager has two for one of them.
pub(crate) fn usage(written: String) -> String {
    match written.as_str() {
        "signing" => "digital signature".to_owned(),
        "s/mime" => "email protection".to_owned(),
        _ => written,
    }
}

fn entries<T>(
    written: &[String],
    path: &str,
    read: fn(&str) -> Result<T, Malformed>,
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut found = Vec::new();
    for (index, text) in written.iter().enumerate() {
        match read(text) {
            Ok(entry) => found.push(entry),
            Err(why) => problems.push(
                Problem::error(INVALID_ENTRY, format!("'{text}' allows nothing: {why}"))
                    .at(format!("{path}[{index}]"))
                    .hint("mend the entry, or take it out"),
            ),
        }
    }
    found
}

fn network(text: &str) -> Result<IpNet, Malformed> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    let network =
        network.map_err(|_| Malformed("it is neither an address nor a network such as 10.0.0.0/8"))?;
    match network {
        // Addresses are compared as what they stand for, so such a network would never match.
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
            Err(Malformed("write IPv4 addresses as such"))
        }
        _ => Ok(network),
    }
}

fn keys(written: &[AllowedKey]) -> Vec<Key> {
    let key = |algorithm, least: Option<i32>| Key {
        algorithm,
        size: least
            .and_then(|size| u32::try_from(size).ok())
            .unwrap_or(match algorithm {
                KeyAlgorithm::Rsa => 2048,
                KeyAlgorithm::Ecdsa | KeyAlgorithm::Ed25519 => 256,
            }),
    };
    if written.is_empty() {
        [KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa, KeyAlgorithm::Ed25519]
            .map(|algorithm| key(algorithm, None))
            .into()
    } else {
        written
            .iter()
            .map(|allowed| key(allowed.algorithm, allowed.min_size))
            .collect()
    }
}

fn bounds(written: &Written, path: &str, problems: &mut Vec<Problem>) -> Bounds {
    let mut read = |text: &Option<String>, end: &str| {
        let text = text.as_ref()?;
        let seconds = duration::seconds(text);
        if seconds.is_none() {
            problems.push(
                Problem::error(INVALID_ENTRY, format!("'{text}' is no duration"))
                    .at(format!("{path}.{end}"))
                    .hint("write a duration such as 24h"),
            );
        }
        // What cannot be read allows nothing: no time is at least the longest, or at most none.
        Some(seconds.unwrap_or(if end == "min" { u64::MAX } else { 0 }))
    };
    let bounds = Bounds {
        min: read(&written.min, "min"),
        max: read(&written.max, "max"),
    };
    if bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max) {
        problems.push(
            Problem::error(INVALID_ENTRY, "min is longer than max: nothing fits".to_owned())
                .at(path)
                .hint("write a min that is not longer than max"),
        );
    }
    bounds
}
