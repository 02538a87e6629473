//! A CertificatePolicy with every entry parsed.

use std::collections::BTreeSet;

use idp_api::{
    CertificatePolicy,
    certificate_policy::{
        AllowedKey, Bounds as Written, CertificatePolicySpec, KeyAlgorithm, NamespaceSelector,
    },
};
use idp_core::{Problem, duration};
use ipnet::IpNet;
use kube::ResourceExt;

use crate::{
    certificate_request::requirements::{self, DEFAULT_LIFETIME, Issuer, Key, Names, Requirements},
    reasons::INVALID_ENTRY,
    uri::UriPattern,
};
use idp_core::names::{DnsPattern, Malformed};

const USAGES: [&str; 3] = ["digital signature", "key encipherment", "server auth"];
const SECRET_NAME: &str = "*-tls";
/// Minimum and maximum, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At least this.
    pub min: Option<u64>,
    /// At most this.
    pub max: Option<u64>,
}

impl Bounds {
    /// The allowed value nearest to `seconds`.
    fn nearest(self, seconds: u64) -> u64 {
        let low = self.min.map_or(seconds, |min| seconds.max(min));
        self.max.map_or(low, |max| low.min(max))
    }
}

/// A CertificatePolicy, parsed.
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
    /// Entries that are not valid. They allow nothing.
    pub problems: Vec<Problem>,
}

/// The certificates that the platform orders under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    key: Key,
    usages: BTreeSet<String>,
    lifetime: u64,
    renew_before: u64,
}

impl Template {
    /// Requirements of the certificate of one host.
    pub fn requirements(&self, issuer: &Issuer, host: &str, secret: &str) -> Requirements {
        let names = Names {
            dns: [host.to_owned()].into(),
            ..Names::default()
        };
        Requirements {
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

impl From<&CertificatePolicy> for Policy {
    fn from(policy: &CertificatePolicy) -> Self {
        Self::read(&policy.name_any(), &policy.spec)
    }
}

/// Policies, parsed and sorted by name: of several that allow a certificate, the first one counts.
pub fn policies<'a>(policies: impl IntoIterator<Item = &'a CertificatePolicy>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = policies.into_iter().map(Policy::from).collect();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    policies
}

impl Policy {
    /// Parses a policy. An entry that is not valid allows nothing, and is a problem.
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
            usages: list(&spec.usages, &USAGES)
                .into_iter()
                .map(requirements::usage)
                .collect(),
            lifetime: bounds(&spec.lifetime, "spec.lifetime", &mut problems),
            renew_before: bounds(&spec.renew_before, "spec.renewBefore", &mut problems),
            secret_names: list(&spec.secret_names, &[SECRET_NAME]),
            allow_ca: spec.allow_ca,
            problems,
        }
    }

    /// The issuers that it allows.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The DNS names that it allows.
    pub fn dns(&self) -> &[DnsPattern] {
        &self.dns
    }

    /// The namespaces that it selects.
    pub fn namespaces(&self) -> &[NamespaceSelector] {
        &self.namespaces
    }

    /// The certificates that the platform orders under it: for web servers, with its first key, and with durations as near
    /// to cert-manager's defaults as it allows.
    pub fn template(&self) -> Template {
        let lifetime = self.lifetime.nearest(DEFAULT_LIFETIME);
        let key = self.keys.first().copied().unwrap_or(Key {
            algorithm: KeyAlgorithm::Ecdsa,
            size: 256,
        });
        // Only RSA keys can encipher keys; some clients reject this usage with other keys.
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
                Problem::error(
                    INVALID_ENTRY,
                    format!("'{text}' is not valid and allows nothing: {why}."),
                )
                .at(format!("{path}[{index}]")),
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
        // IPv4-mapped addresses are compared as IPv4, so such a network would never match.
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
            Err(Malformed("write it as an IPv4 network"))
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
                Problem::error(INVALID_ENTRY, format!("'{text}' is not a duration."))
                    .at(format!("{path}.{end}"))
                    .hint("Use a duration such as 24h."),
            );
        }
        // A bound that is not valid allows nothing: no duration is at least the maximum, or at most zero.
        Some(seconds.unwrap_or(if end == "min" { u64::MAX } else { 0 }))
    };
    let bounds = Bounds {
        min: read(&written.min, "min"),
        max: read(&written.max, "max"),
    };
    if bounds.min.zip(bounds.max).is_some_and(|(min, max)| min > max) {
        problems.push(
            Problem::error(INVALID_ENTRY, "min is longer than max, so nothing is allowed.")
                .at(path)
                .hint("Use a min that is not longer than max."),
        );
    }
    bounds
}
