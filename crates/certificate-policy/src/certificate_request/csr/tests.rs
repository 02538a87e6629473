use idp_api::certificate_policy::KeyAlgorithm;

use super::*;
use build::{Build, pem};

#[path = "../../../tests/build/mod.rs"]
mod build;

fn refused(build: &Build) -> (String, String) {
    let rejection = read(build.pem().as_bytes()).unwrap_err();
    (rejection.reason, rejection.message)
}

#[test]
fn a_request_is_read() {
    let mut build = Build::new(&["Shop.example.com", "www.example.com"])
        .common_name("shop.example.com")
        .extension(build::KEY_USAGE, &build::server_usage())
        .extension(build::EXTENDED_KEY_USAGE, &build::purpose(1));
    build.names.push(build::ip(&[10, 0, 0, 1]));
    build.names.push(build::uri("spiffe://Idp.dev/ns/a/sa/b"));
    let csr = read(build.pem().as_bytes()).unwrap();
    assert_eq!(
        csr.names.dns.iter().collect::<Vec<_>>(),
        ["shop.example.com", "www.example.com"]
    );
    assert_eq!(csr.names.ips, ["10.0.0.1".parse().unwrap()].into());
    assert_eq!(csr.names.uris, ["spiffe://idp.dev/ns/a/sa/b".to_owned()].into());
    let usages = ["digital signature", "key encipherment", "server auth"].map(str::to_owned);
    assert_eq!(csr.usages, usages.into());
    assert!(!csr.is_ca);
    assert_eq!(csr.key.algorithm, KeyAlgorithm::Ecdsa);
    assert_eq!(csr.key.size, 256);
}

#[test]
fn requests_of_a_library_are_read() {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["shop.example.com".to_owned()]).unwrap();
    let mut params = params;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    let csr = read(request.as_bytes()).unwrap();
    assert_eq!(csr.names.dns, ["shop.example.com".to_owned()].into());
}

#[test]
fn keys() {
    let key = |key: Vec<u8>| {
        let mut build = Build::new(&["a.b"]);
        build.key = key;
        read(build.pem().as_bytes())
            .map(|csr| csr.key.to_string())
            .map_err(|rejection| rejection.reason)
    };
    assert_eq!(key(build::rsa(2048, &[1, 0, 1])).unwrap(), "RSA with 2048 bits");
    assert_eq!(key(build::rsa(1024, &[1, 0, 1])).unwrap(), "RSA with 1024 bits");
    assert_eq!(key(build::ed25519()).unwrap(), "Ed25519");
    for weak in [
        build::rsa(2048, &[1]),
        build::rsa(2048, &[4]),
        build::rsa(16_384, &[3]),
    ] {
        assert_eq!(key(weak), Err("KeyMalformed".to_owned()));
    }
    let mut other_curve = build::p256();
    let last = other_curve
        .windows(3)
        .position(|bytes| bytes == [3, 1, 7])
        .unwrap()
        + 2;
    other_curve[last] = 6;
    assert_eq!(key(other_curve), Err("KeyMalformed".to_owned()));
}

#[test]
fn ca_requests_are_recognized() {
    let ca = Build::new(&["a.b"]).extension(build::BASIC_CONSTRAINTS, &build::ca());
    assert!(read(ca.pem().as_bytes()).unwrap().is_ca);
    let signs = Build::new(&["a.b"]).extension(build::KEY_USAGE, &build::cert_sign());
    assert!(read(signs.pem().as_bytes()).unwrap().usages.contains("cert sign"));
}

#[test]
fn requests_that_no_policy_can_allow() {
    let with_name = |name: Vec<u8>| {
        let mut build = Build::new(&["a.b"]);
        build.names.push(name);
        build
    };
    let mut organization = Build::new(&["a.b"]);
    organization
        .subject
        .push((build::ORGANIZATION, "system:masters".into()));
    let cases = [
        (Build::new(&[]), "NoName"),
        (
            Build::new(&["a.b"]).common_name("evil.com"),
            "CommonNameNotListed",
        ),
        (
            Build::new(&["a.b"]).common_name("a.b").common_name("a.b"),
            "SubjectNotAllowed",
        ),
        (organization, "SubjectNotAllowed"),
        (with_name(build::email("root@example.com")), "NameKindNotAllowed"),
        (with_name(build::dns("xn--a.com")), "NameMalformed"),
        (with_name(build::dns("bücher.example")), "NameMalformed"),
        (with_name(build::dns("a.b\0.evil.com")), "NameMalformed"),
        (with_name(build::dns("10.0.0.1")), "NameMalformed"),
        (with_name(build::ip(&[10, 0, 0])), "NameMalformed"),
        (with_name(build::uri("spiffe://a/../b")), "NameMalformed"),
        (
            Build::new(&["a.b"]).extension(build::NAME_CONSTRAINTS, &build::sequence(&[])),
            "ExtensionNotAllowed",
        ),
        (
            Build::new(&["a.b"]).extension(build::EXTENDED_KEY_USAGE, &build::purpose(99)),
            "ExtensionNotAllowed",
        ),
    ];
    for (number, (build, reason)) in cases.iter().enumerate() {
        assert_eq!(refused(build).0, *reason, "case {number}: {}", refused(build).1);
    }
}

#[test]
fn requests_that_two_parsers_could_read_differently() {
    let names = |name: &str| {
        build::extension(
            build::SUBJECT_ALTERNATIVE_NAME,
            &build::sequence(&[build::dns(name)]),
        )
    };
    let mut twice = Build::new(&["a.b"]);
    twice.extensions.push(names("evil.com"));
    let mut second_attribute = Build::new(&["a.b"]);
    second_attribute
        .attributes
        .push(build::extension_request(&[names("evil.com")]));
    let mut second_value = Build::new(&["a.b"]);
    second_value
        .more_extensions
        .push(build::sequence(&[names("evil.com")]));
    let mut password = Build::new(&["a.b"]);
    password.attributes.push(build::challenge());
    let trailing = Build::new(&[]).extension(
        build::SUBJECT_ALTERNATIVE_NAME,
        &[build::sequence(&[build::dns("a.b")]), build::dns("evil.com")].concat(),
    );
    for (number, build) in [twice, second_attribute, second_value, password, trailing]
        .iter()
        .enumerate()
    {
        assert_eq!(
            refused(build).0,
            "RequestMalformed",
            "case {number}: {}",
            refused(build).1
        );
    }
    let good = Build::new(&["a.b"]).pem();
    assert!(read(good.as_bytes()).is_ok());
    assert!(read(good.replace('\n', "\r\n").as_bytes()).is_ok());
    let evil = Build::new(&["evil.com"]).pem();
    let mut after = Build::new(&["a.b"]).der();
    after.push(0);
    for text in [
        format!("{evil}{good}"),
        format!("hello\n{good}"),
        format!("{good}hello"),
        good.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n"),
        good.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pem(&after),
        String::new(),
        "-----BEGIN CERTIFICATE REQUEST-----".to_owned(),
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----".to_owned(),
    ] {
        assert_eq!(
            read(text.as_bytes()).unwrap_err().reason,
            "RequestMalformed",
            "{text:.60}"
        );
    }
}

#[test]
fn sizes_are_bounded() {
    let hundred: Vec<String> = (0..100).map(|n| format!("n{n}.example.com")).collect();
    let texts: Vec<&str> = hundred.iter().map(String::as_str).collect();
    assert_eq!(
        read(Build::new(&texts).pem().as_bytes()).unwrap().names.count(),
        100
    );
    let more: Vec<&str> = texts.iter().copied().chain(["one.more"]).collect();
    assert_eq!(refused(&Build::new(&more)).0, "TooManyNames");
    let many: Vec<String> = (0..10_000).map(|n| format!("n{n}.example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(refused(&Build::new(&many)).0, "RequestTooLarge");
    assert_eq!(read(&vec![b'A'; 1 << 20]).unwrap_err().reason, "RequestTooLarge");
}
