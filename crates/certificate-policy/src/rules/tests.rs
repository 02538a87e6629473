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

pub(crate) fn asker() -> Asker {
    Asker {
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

fn content() -> Content {
    let mut names = Names::default();
    names.add_dns("shop.apps.example.com").unwrap();
    Content {
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
fn what_fits_is_allowed() {
    assert_eq!(violations(&policy(), &asker(), &content()), []);
    let mut all = content();
    all.names.add_ip("10.1.2.3".parse().unwrap());
    all.names.add_ip("2001:db8::1".parse().unwrap());
    all.names.add_uri("spiffe://idp.dev/ns/shop/sa/shop").unwrap();
    assert_eq!(violations(&policy(), &asker(), &all), []);
}

type Change = fn(&mut Content);

#[test]
fn each_rule_by_itself() {
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
        let mut content = content();
        change(&mut content);
        let found = violations(&policy(), &asker(), &content);
        let found: Vec<_> = found.iter().map(|v| (v.reason, v.field)).collect();
        assert_eq!(found, [(reason, field)], "case {number}");
    }
    let stranger = Asker {
        namespace: "other".into(),
        ..Asker::default()
    };
    let found = violations(&policy(), &stranger, &content());
    assert_eq!(found[0].reason, "NamespaceNotSelected");
}

#[test]
fn usages_that_sign_need_allow_ca() {
    let mut content = content();
    content.usages.insert("cert sign".into());
    let reasons = |spec: &CertificatePolicySpec| -> Vec<&str> {
        violations(&Policy::read("p", spec), &asker(), &content)
            .iter()
            .map(|violation| violation.reason)
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
fn one_policy_must_allow_all_of_it() {
    let mut other = spec();
    other.names = idp_api::certificate_policy::AllowedNames::default();
    other.names.dns.exact = vec!["shop.example.com".into()];
    let other = Policy::read("exact", &other);
    let mut both = content();
    both.names.add_dns("shop.example.com").unwrap();
    let Decision::Denied(denial) = decide([&policy(), &other], &asker(), &both) else {
        panic!("neither allows both names");
    };
    assert_eq!(denial.policy.as_deref(), Some("shops"));
    assert!(
        denial
            .message()
            .contains("spec.names.dns: shop.example.com is not allowed")
    );
    assert_eq!(
        decide([&other, &policy()], &asker(), &content()),
        Decision::Allowed {
            policy: "shops".into()
        }
    );
}

#[test]
fn the_nearest_policy_is_named() {
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
    let mut content = content();
    content.names.dns = ["evil.com".to_owned()].into();
    let Decision::Denied(denial) = decide(&policies, &asker(), &content) else {
        panic!("nobody allows evil.com");
    };
    // One rule is broken of each of the last two; the one that selects the namespace is told.
    assert_eq!(denial.policy.as_deref(), Some("shops"));
    assert_eq!(denial.reason(), "NameNotAllowed");
    let none = decide(&[], &asker(), &content);
    assert!(matches!(none, Decision::Denied(denial) if denial.reason() == "NoPolicy"));
}

#[test]
fn our_own_certificates_fit_the_policy_that_they_are_made_for() {
    let mut narrow = spec();
    narrow.lifetime.max = Some("36h".into());
    narrow.renew_before.max = Some("6h".into());
    narrow.keys = vec![AllowedKey {
        algorithm: KeyAlgorithm::Rsa,
        min_size: Some(3072),
    }];
    let policies = [Policy::read("narrow", &narrow)];
    let (policy, content) = plan(
        &policies,
        &asker(),
        &issuer(),
        "shop.apps.example.com",
        "shop-tls",
    )
    .unwrap();
    assert_eq!(policy, "narrow");
    assert_eq!(content.lifetime, 36 * 3600);
    assert_eq!(content.renew_before, Some(6 * 3600));
    assert_eq!(content.key.size, 3072);
    let denial = plan(&policies, &asker(), &issuer(), "*.apps.example.com", "shop-tls").unwrap_err();
    assert_eq!(denial.reason(), "NameNotAllowed");
}

#[test]
fn what_cannot_be_read_allows_nothing_and_is_told() {
    let mut spec = spec();
    spec.names.dns.suffixes = vec!["a_b".into()];
    spec.names.ips = vec!["10.0.0.0/33".into(), "::ffff:10.0.0.0/104".into()];
    spec.names.uris = vec!["nothing".into()];
    spec.lifetime.max = Some("1w".into());
    let policy = Policy::read("broken", &spec);
    assert_eq!(policy.problems.len(), 6);
    let paths: Vec<_> = policy.problems.iter().filter_map(|p| p.path.as_deref()).collect();
    assert_eq!(paths[0], "spec.names.dns.suffixes[0]");
    assert!(!violations(&policy, &asker(), &content()).is_empty());
}
