use idp_api::certificate_policy::{
    AllowedIssuer, AllowedKey, Bounds as Written, CertificatePolicySpec, KeyAlgorithm, NamespaceSelector,
};

use super::*;
use crate::certificate_request::requirements::{Key, Names};

fn spec() -> CertificatePolicySpec {
    let mut spec = CertificatePolicySpec {
        namespaces: vec![NamespaceSelector {
            match_labels: [("team".to_owned(), "shop".to_owned())].into(),
            match_expressions: Vec::new(),
        }],
        issuers: vec![AllowedIssuer {
            name: "ca".into(),
            kind: "ClusterIssuer".into(),
            group: "cert-manager.io".into(),
        }],
        ..CertificatePolicySpec::default()
    };
    spec.names.dns.suffixes = vec!["apps.example.com".into()];
    spec.names.ips = vec!["10.0.0.0/8".into(), "2001:db8::1".into()];
    spec.names.uris = vec!["spiffe://idp.dev/ns/*/sa/shop".into()];
    spec.lifetime = Written {
        min: Some("24h".into()),
        max: Some("2160h".into()),
    };
    spec.renew_before.min = Some("1h".into());
    spec
}

pub(crate) fn policy() -> Policy {
    Policy::read("shops", &spec())
}

pub(crate) fn requester() -> Requester {
    Requester {
        namespace: "shop".into(),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
    }
}

fn issuer() -> Issuer {
    Issuer {
        name: "ca".into(),
        kind: "ClusterIssuer".into(),
        group: "cert-manager.io".into(),
    }
}

fn requirements() -> Requirements {
    let mut names = Names::default();
    names.add_dns("shop.apps.example.com").unwrap();
    Requirements {
        issuer: issuer(),
        names,
        key: Key {
            algorithm: KeyAlgorithm::Rsa,
            size: 2048,
        },
        usages: ["server auth".to_owned()].into(),
        is_ca: false,
        lifetime: 90 * 86_400,
        renew_before: Some(30 * 86_400),
        secret: Some("shop-tls".into()),
    }
}

#[test]
fn requirements_within_the_policy_are_allowed() {
    assert_eq!(violations(&policy(), &requester(), &requirements()), []);
    let mut all = requirements();
    all.names.add_ip("10.1.2.3".parse().unwrap());
    all.names.add_ip("2001:db8::1".parse().unwrap());
    all.names.add_uri("spiffe://idp.dev/ns/shop/sa/shop").unwrap();
    assert_eq!(violations(&policy(), &requester(), &all), []);
}

type Change = fn(&mut Requirements);

#[test]
fn each_rule() {
    let cases: [(Change, &str, &str); 18] = [
        (
            |c| c.issuer.name = "other".into(),
            "IssuerNotAllowed",
            "spec.issuers",
        ),
        (
            |c| c.issuer.kind = "Issuer".into(),
            "IssuerNotAllowed",
            "spec.issuers",
        ),
        (
            |c| c.issuer.group = "x.dev".into(),
            "IssuerNotAllowed",
            "spec.issuers",
        ),
        (
            |c| c.names.add_dns("evil.com").unwrap(),
            "NameNotAllowed",
            "spec.names.dns",
        ),
        (
            |c| c.names.add_dns("apps.example.com").unwrap(),
            "NameNotAllowed",
            "spec.names.dns",
        ),
        (
            |c| c.names.add_dns("*.apps.example.com").unwrap(),
            "NameNotAllowed",
            "spec.names.dns",
        ),
        (
            |c| c.names.add_ip([11, 0, 0, 1].into()),
            "AddressNotAllowed",
            "spec.names.ips",
        ),
        (
            |c| c.names.add_uri("spiffe://a/b").unwrap(),
            "UriNotAllowed",
            "spec.names.uris",
        ),
        (|c| c.is_ca = true, "CaNotAllowed", "spec.allowCa"),
        (|c| c.key.size = 1024, "KeyNotAllowed", "spec.keys"),
        (
            |c| {
                c.key = Key {
                    algorithm: KeyAlgorithm::Ecdsa,
                    size: 224,
                }
            },
            "KeyNotAllowed",
            "spec.keys",
        ),
        (
            |c| {
                c.usages.insert("client auth".into());
            },
            "UsageNotAllowed",
            "spec.usages",
        ),
        (
            |c| {
                c.usages.insert("any".into());
            },
            "UsageNotAllowed",
            "spec.usages",
        ),
        (|c| c.lifetime = 3600, "LifetimeNotAllowed", "spec.lifetime"),
        (
            |c| c.lifetime = 91 * 86_400,
            "LifetimeNotAllowed",
            "spec.lifetime",
        ),
        (
            |c| c.renew_before = Some(60),
            "RenewalNotAllowed",
            "spec.renewBefore",
        ),
        (
            |c| c.secret = Some("database".into()),
            "SecretNameNotAllowed",
            "spec.secretNames",
        ),
        (
            |c| c.secret = Some("tls".into()),
            "SecretNameNotAllowed",
            "spec.secretNames",
        ),
    ];
    for (number, (change, reason, field)) in cases.into_iter().enumerate() {
        let mut requirements = requirements();
        change(&mut requirements);
        let found = violations(&policy(), &requester(), &requirements);
        let found: Vec<_> = found.iter().map(|v| (v.reason.name, v.field)).collect();
        assert_eq!(found, [(reason, field)], "case {number}");
    }
    let stranger = Requester {
        namespace: "other".into(),
        ..Requester::default()
    };
    let found = violations(&policy(), &stranger, &requirements());
    assert_eq!(found[0].reason, NAMESPACE_NOT_SELECTED);
}

#[test]
fn signing_usages_need_allow_ca() {
    let mut requirements = requirements();
    requirements.usages.insert("cert sign".into());
    let reasons = |spec: &CertificatePolicySpec| -> Vec<&str> {
        violations(&Policy::read("p", spec), &requester(), &requirements)
            .iter()
            .map(|violation| violation.reason.name)
            .collect()
    };
    let mut written = spec();
    assert_eq!(reasons(&written), ["CaNotAllowed", "UsageNotAllowed"]);
    written.usages = vec!["server auth".into(), "cert sign".into()];
    assert_eq!(reasons(&written), ["CaNotAllowed"]);
    written.allow_ca = true;
    written.usages.clear();
    assert_eq!(reasons(&written), [""; 0]);
}

#[test]
fn one_policy_must_allow_everything() {
    let mut other = spec();
    other.names = idp_api::certificate_policy::AllowedNames::default();
    other.names.dns.exact = vec!["shop.example.com".into()];
    let other = Policy::read("exact", &other);
    let mut both = requirements();
    both.names.add_dns("shop.example.com").unwrap();
    let Decision::Denied(denial) = decide([&policy(), &other], &requester(), &both) else {
        panic!("neither allows both names");
    };
    assert_eq!(denial.policy.as_deref(), Some("shops"));
    assert!(
        denial
            .message("it")
            .contains("spec.names.dns: shop.example.com is not allowed")
    );
    assert_eq!(
        decide([&other, &policy()], &requester(), &requirements()),
        Decision::Allowed {
            policy: "shops".into()
        }
    );
}

#[test]
fn the_closest_policy_is_named() {
    let mut farther = spec();
    farther.issuers[0].name = "other".into();
    farther.names.dns.suffixes = vec!["elsewhere.example.com".into()];
    let mut foreign = spec();
    foreign.namespaces[0].match_labels = [("team".to_owned(), "other".to_owned())].into();
    foreign.names.dns.exact = vec!["evil.com".into()];
    let policies = [
        Policy::read("a-farther", &farther),
        Policy::read("b-foreign", &foreign),
        policy(),
    ];
    let mut requirements = requirements();
    requirements.names.dns = ["evil.com".to_owned()].into();
    let Decision::Denied(denial) = decide(&policies, &requester(), &requirements) else {
        panic!("no policy allows evil.com");
    };
    // The last two have one violation each; the one that selects the namespace is closer.
    assert_eq!(denial.policy.as_deref(), Some("shops"));
    assert_eq!(denial.reason().name, "NameNotAllowed");
    let none = decide(&[], &requester(), &requirements);
    assert!(matches!(none, Decision::Denied(denial) if denial.reason() == NO_POLICY));
}

#[test]
fn the_platforms_certificates_fit_the_policy() {
    let mut narrow = spec();
    narrow.lifetime.max = Some("36h".into());
    narrow.renew_before.max = Some("6h".into());
    narrow.keys = vec![AllowedKey {
        algorithm: KeyAlgorithm::Rsa,
        min_size: Some(3072),
    }];
    let policies = [Policy::read("narrow", &narrow)];
    let (policy, requirements) = plan(
        &policies,
        &requester(),
        &issuer(),
        "shop.apps.example.com",
        "shop-tls",
    )
    .unwrap();
    assert_eq!(policy, "narrow");
    assert_eq!(requirements.lifetime, 36 * 3600);
    assert_eq!(requirements.renew_before, Some(6 * 3600));
    assert_eq!(requirements.key.size, 3072);
    let denial = plan(
        &policies,
        &requester(),
        &issuer(),
        "*.apps.example.com",
        "shop-tls",
    )
    .unwrap_err();
    assert_eq!(denial.reason().name, "NameNotAllowed");
}

#[test]
fn invalid_entries_allow_nothing_and_are_problems() {
    let mut spec = spec();
    spec.names.dns.suffixes = vec!["a_b".into()];
    spec.names.ips = vec!["10.0.0.0/33".into(), "::ffff:10.0.0.0/104".into()];
    spec.names.uris = vec!["nothing".into()];
    spec.lifetime.max = Some("1w".into());
    let policy = Policy::read("broken", &spec);
    assert_eq!(policy.problems.len(), 6);
    let paths: Vec<_> = policy.problems.iter().filter_map(|p| p.path.as_deref()).collect();
    assert_eq!(paths[0], "spec.names.dns.suffixes[0]");
    assert!(!violations(&policy, &requester(), &requirements()).is_empty());
}
