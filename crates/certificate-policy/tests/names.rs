//! Compares the matching of names with definitions that are simple enough to be obviously correct.

use std::net::{IpAddr, Ipv4Addr};

use idp_api::certificate_policy::{AllowedIssuer, CertificatePolicySpec, NamespaceSelector};
use idp_certificate_policy::{
    certificate_request::requirements::{Issuer, Key, Names, Requirements},
    rules::{Policy, Requester, violations},
    uri::{UriPattern, normal_uri},
};
use idp_core::names::{DnsName, DnsPattern};
use proptest::prelude::*;

/// Labels of a few letters only, so that names and patterns often almost match.
fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab][ab-]{0,2}[ab]",
        4 => "[abAB]",
        1 => Just("xn--bcher-kva".to_owned()),
        1 => Just("XN--bcher-KVA".to_owned()),
        1 => Just("bücher".to_owned()),
        1 => "[a-z0-9]{1,63}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    let labels = proptest::collection::vec(label(), 1..5);
    (labels, any::<bool>(), 0..8).prop_map(|(labels, dot, wildcard)| {
        let star = if wildcard == 0 { "*." } else { "" };
        format!("{star}{}{}", labels.join("."), if dot { "." } else { "" })
    })
}

/// Any text; characters with a meaning in names are more frequent.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        name(),
        "[a-z*.\\-_ 0-9]{0,20}",
        ".{0,12}",
        "(xn--)?[a-z0-9-]{1,12}\\.[ab]{1,3}"
    ]
}

/// The normal form of a name without international labels: lower case, no trailing dot.
fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase().replace("bücher", "xn--bcher-kva");
    lower.strip_suffix('.').unwrap_or(&lower).to_owned()
}

fn labels(name: &str) -> Vec<String> {
    plain(name).split('.').map(str::to_owned).collect()
}

/// Matches a label pattern character by character: a star matches one or more letters, digits or dashes.
fn label_matches(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((start, end)) => {
            !label.starts_with("xn--")
                && (1..=63).any(|length| {
                    let letters: Vec<char> = label.chars().collect();
                    letters.len() == start.len() + length + end.len()
                        && label.starts_with(start)
                        && label.ends_with(end)
                })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 3_000 } else { 100_000 }))]

    #[test]
    fn exact_means_equal(pattern in name(), name in name()) {
        if let (Ok(exact), Ok(found)) = (DnsPattern::exact(&pattern), DnsName::parse(&name)) {
            prop_assert_eq!(exact.allows(&found), plain(&pattern) == plain(&name));
        }
    }

    #[test]
    fn a_suffix_means_labels_before_the_domain(domain in name(), name in name()) {
        if let (Ok(suffix), Ok(found)) = (DnsPattern::below(&domain), DnsName::parse(&name)) {
            let (domain, labels) = (labels(&domain), labels(&name));
            let expected = labels.len() > domain.len() && {
                let (before, after) = labels.split_at(labels.len() - domain.len());
                after == domain && before.iter().all(|label| label != "*" && !label.starts_with("xn--"))
            };
            prop_assert_eq!(suffix.allows(&found), expected);
        }
    }

    #[test]
    fn a_pattern_means_label_by_label(
        parts in proptest::collection::vec((label(), 0..4, "[ab]?", "[ab]?"), 1..4),
        last in "[ab]{1,3}",
        name in name(),
    ) {
        let parts = parts.into_iter().map(|(label, star, start, end)| match star {
            0 => "*".to_owned(),
            1 => format!("{start}*{end}"),
            _ => label,
        });
        let pattern = parts.chain([last]).collect::<Vec<_>>().join(".");
        if let (Ok(read), Ok(found)) = (DnsPattern::labels(&pattern), DnsName::parse(&name)) {
            let (wanted, labels) = (labels(&pattern), labels(&name));
            let expected = labels[0] != "*"
                && wanted.len() == labels.len()
                && wanted.iter().zip(&labels).all(|(wanted, label)| label_matches(wanted, label));
            prop_assert_eq!(read.allows(&found), expected, "{} {}", pattern, name);
        }
    }

    /// For any text: an allowed name contains only the characters of host names, and a wildcard is allowed only if it is
    /// listed.
    #[test]
    fn every_allowed_name_is_a_host_name(pattern in text(), name in text()) {
        let Ok(found) = DnsName::parse(&name) else { return Ok(()) };
        let shown = found.to_string();
        prop_assert!(shown.len() <= 253);
        let bare = shown.strip_prefix("*.").unwrap_or(&shown);
        let labels_fit = bare.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
        prop_assert!(labels_fit, "{}", shown);
        // Normalising again changes nothing.
        prop_assert_eq!(DnsName::parse(&shown).unwrap(), found.clone());
        for read in [DnsPattern::below(&pattern), DnsPattern::labels(&pattern)].into_iter().flatten() {
            prop_assert!(!(read.allows(&found) && found.is_wildcard()));
        }
    }

    #[test]
    fn uris_are_compared_segment_by_segment(
        pattern in proptest::collection::vec("[ab*]", 0..4),
        found in proptest::collection::vec("[ab]{0,2}", 0..4),
    ) {
        let write = |segments: &[String]| {
            let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            format!("spiffe://idp.dev{path}")
        };
        let (Ok(read), Ok(uri)) = (UriPattern::parse(&write(&pattern)), normal_uri(&write(&found))) else {
            return Ok(());
        };
        let expected = pattern.len() == found.len()
            && pattern.iter().zip(&found).all(|(wanted, segment)| wanted == segment || (wanted == "*" && !segment.is_empty()));
        prop_assert_eq!(read.allows(&uri), expected);
    }

    #[test]
    fn networks_contain_the_addresses_with_their_prefix(address: u32, network: u32, length in 0_u8..=32, mapped: bool) {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let mut spec = CertificatePolicySpec {
            namespaces: vec![NamespaceSelector::default()],
            issuers: vec![AllowedIssuer { name: "ca".into(), kind: "ClusterIssuer".into(), group: "cert-manager.io".into() }],
            ..CertificatePolicySpec::default()
        };
        spec.names.ips = vec![format!("{}/{length}", Ipv4Addr::from(network))];
        let address = Ipv4Addr::from(address);
        let mut names = Names::default();
        names.add_ip(if mapped { IpAddr::V6(address.to_ipv6_mapped()) } else { IpAddr::V4(address) });
        let requirements = Requirements {
            issuer: Issuer { name: "ca".into(), kind: "ClusterIssuer".into(), group: String::new() }.completed(),
            names,
            key: Key { algorithm: idp_api::certificate_policy::KeyAlgorithm::Ed25519, size: 256 },
            usages: ["server auth".to_owned()].into(),
            is_ca: false,
            lifetime: 3600,
            renew_before: None,
            secret: None,
        };
        let allowed = violations(&Policy::read("p", &spec), &Requester::default(), &requirements).is_empty();
        prop_assert_eq!(allowed, u32::from(address) & mask == network & mask);
    }
}
