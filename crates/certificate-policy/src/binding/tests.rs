use idp_api::{
    CertificateBinding, CertificateBindingSpec, CertificateBindingStatus, CertificatePolicySpec,
    certificate_binding::{BoundHost, IssuerRef},
    certificate_policy::{AllowedIssuer, NamespaceSelector},
};
use idp_core::{Applied, ObjectKey, Plan, Step, plan::AppliedChild};
use idp_runtime::Outcome;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    certificate_request::requirements::Issuer,
    environment::EnvironmentSettings,
    facts::{CertificateFacts, IssueFailure},
    host_claim::Holder,
    kinds::CERTIFICATE,
    rules::{Policy, Requester},
    secret,
};

const HOST: &str = "shop.example.com";

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn binding() -> CertificateBinding {
    let spec = CertificateBindingSpec {
        application: "shop".into(),
        issuer: IssuerRef {
            name: "ca".into(),
            kind: "ClusterIssuer".into(),
        },
        secret_namespace: "istio-system".into(),
        hosts: vec![BoundHost {
            host: HOST.into(),
            path: "spec.routes[0].host".into(),
        }],
    };
    let mut binding = CertificateBinding::new("shop", spec);
    binding.metadata.namespace = Some("shops".into());
    binding.metadata.uid = Some("u1".into());
    binding
}

fn settings() -> EnvironmentSettings {
    EnvironmentSettings {
        environment: "test".into(),
        base_domain: "example.com".into(),
        gateway: "istio-system".into(),
        issuer: Some(Issuer::from(&binding().spec.issuer)),
        ..EnvironmentSettings::default()
    }
}

fn policy(suffix: &str) -> Policy {
    let mut spec = CertificatePolicySpec {
        namespaces: vec![NamespaceSelector::default()],
        issuers: vec![AllowedIssuer {
            name: "ca".into(),
            kind: "ClusterIssuer".into(),
            group: "cert-manager.io".into(),
        }],
        ..CertificatePolicySpec::default()
    };
    spec.names.dns.suffixes = vec![suffix.into()];
    Policy::read("web", &spec)
}

fn observed(suffix: &str) -> Observed {
    Observed {
        settings: Ok(settings()),
        policies: vec![policy(suffix)],
        requester: Requester::default(),
        hosts: vec![ObservedHost::default()],
    }
}

fn issued() -> CertificateFacts {
    CertificateFacts {
        uid: "c1".into(),
        owner_uid: Some("u1".into()),
        created: "2026-05-01T00:00:00Z".into(),
        processed: true,
        ready: true,
        revision: Some(1),
        not_after: Some("2026-08-01T00:00:00Z".into()),
        renewal_time: Some("2026-07-01T00:00:00Z".into()),
        ..CertificateFacts::default()
    }
}

fn applied(facts: &CertificateFacts) -> Outcome {
    let child = AppliedChild {
        kind: CERTIFICATE,
        namespace: Some("istio-system".into()),
        name: secret::name(HOST),
        uid: "c1".into(),
        facts: json!(facts),
        held: None,
    };
    Outcome::Applied(Plan::<Applied> {
        children: vec![child],
        ..Plan::default()
    })
}

fn status_with(facts: &CertificateFacts, at: Timestamp) -> CertificateBindingStatus {
    let (binding, observed) = (binding(), observed("example.com"));
    let validated = validate(&binding, &observed).unwrap();
    status(&binding, &observed, Some(&validated), &applied(facts), at)
}

fn reasons(status: &CertificateBindingStatus) -> Vec<&str> {
    status
        .problems
        .iter()
        .map(|problem| problem.reason.as_str())
        .collect()
}

#[test]
fn a_host_becomes_a_certificate_in_the_gateways_namespace() {
    let validated = validate(&binding(), &observed("example.com")).unwrap();
    let plan = plan(&validated);
    let child = &plan.children[0];
    assert_eq!(child.namespace.as_deref(), Some("istio-system"));
    assert_eq!(child.name, secret::name(HOST));
    let spec = &child.object["spec"];
    assert_eq!(spec["dnsNames"], json!([HOST]));
    assert_eq!(spec["secretName"], json!(child.name));
    assert_eq!(spec["duration"], "2160h0m0s");
    assert_eq!(spec["renewBefore"], "720h0m0s");
    assert_eq!(spec["usages"], json!(["digital signature", "server auth"]));
    assert_eq!(
        spec["privateKey"],
        json!({"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"})
    );
    // The approver allows what is planned.
    let certificate: crate::certificate_request::requirements_from_spec::CertificateSpec =
        serde_json::from_value(spec.clone()).unwrap();
    let requirements = certificate.requirements().unwrap();
    assert_eq!(
        crate::rules::violations(&policy("example.com"), &Requester::default(), &requirements),
        []
    );
}

#[test]
fn hosts_that_are_taken_or_not_allowed_are_rejected() {
    let mut taken = observed("example.com");
    taken.hosts[0].holder = Some(Holder::binding(ObjectKey::new("rivals", "first")));
    let problems = validate(&binding(), &taken).unwrap_err();
    assert_eq!(problems[0].reason, "HostTaken");
    assert!(problems[0].message.contains("rivals/first"), "{}", problems[0]);
    let problems = validate(&binding(), &observed("elsewhere.com")).unwrap_err();
    assert_eq!(problems[0].reason, "NameNotAllowed");
    assert_eq!(problems[0].path.as_deref(), Some("spec.routes[0].host"));
    taken.hosts[0].shared = true;
    let validated = validate(&binding(), &taken).unwrap();
    assert!(plan(&validated).children.is_empty());
}

#[test]
fn issued_certificates_are_kept_when_policies_become_narrower() {
    let mut narrower = observed("elsewhere.com");
    narrower.hosts[0].certificate = Some(issued());
    let validated = validate(&binding(), &narrower).unwrap();
    let kept = plan(&validated);
    assert_eq!(kept.problems[0].reason, "NotAllowedAnyMore");
    assert!(!kept.problems[0].is_error());
    assert!(matches!(kept.children[0].step, Step::Hold { .. }));
    // A certificate that another binding owns is not kept.
    narrower.hosts[0].certificate.as_mut().unwrap().owner_uid = Some("u2".into());
    assert!(validate(&binding(), &narrower).is_err());
}

#[test]
fn denied_certificates_are_recreated() {
    let mut denied = observed("example.com");
    denied.hosts[0].denied_before = true;
    let validated = validate(&binding(), &denied).unwrap();
    assert!(plan(&validated).children.is_empty());
}

#[test]
fn the_version_waits_for_the_first_issue_and_never_changes() {
    let waiting = CertificateFacts {
        created: now().to_string(),
        ..CertificateFacts::default()
    };
    let first = status_with(&waiting, now());
    assert_eq!(first.version, None);
    assert_eq!(first.conditions[0].reason, "Issuing");
    // cert-manager sets the revision a moment later.
    let uncounted = CertificateFacts {
        revision: None,
        ..issued()
    };
    assert_eq!(status_with(&uncounted, now()).version.as_deref(), Some("issued"));
    let issued = status_with(&issued(), now());
    assert_eq!(issued.version.as_deref(), Some("issued"));
    assert!(issued.conditions[0].is_true());
    // A temporary failure does not change it.
    let mut binding = binding();
    binding.status = Some(issued);
    let refused = Outcome::Refused {
        problems: vec![idp_core::Problem::error(crate::reasons::HOST_TAKEN, "x")],
        existing: Plan::default(),
    };
    let next = status(&binding, &observed("example.com"), None, &refused, now());
    assert_eq!(next.version.as_deref(), Some("issued"));
    assert!(!next.conditions[0].is_true());
}

#[test]
fn renewals_become_overdue_and_certificates_expire() {
    let facts = issued();
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    assert_eq!(reasons(&status_with(&facts, now())), [""; 0]);
    assert_eq!(reasons(&status_with(&facts, at("2026-07-01T00:10:00Z"))), [""; 0]);
    let overdue = status_with(&facts, at("2026-07-01T00:15:01Z"));
    assert_eq!(reasons(&overdue), ["RenewalOverdue"]);
    assert!(overdue.conditions[0].is_true());
    let expired = status_with(&facts, at("2026-08-01T00:00:00Z"));
    assert_eq!(reasons(&expired), ["CertificateExpired"]);
    assert!(!expired.conditions[0].is_true());
    // It is reconciled again when the first of these times has passed.
    let quiet = status_with(&facts, now());
    let next = recheck(&quiet, now()).unwrap();
    let until = at("2026-07-01T00:15:00Z").duration_since(now()) + SignedDuration::from_secs(1);
    assert_eq!(SignedDuration::try_from(next).unwrap(), until);
    assert_eq!(
        recheck(&expired, at("2026-08-01T00:00:00Z")).unwrap().as_secs(),
        30
    );
}

#[test]
fn failures_show_the_issuers_message() {
    let mut failed = CertificateFacts {
        failure: Some(IssueFailure {
            reason: "Failed".into(),
            message: "no DNS zone".into(),
        }),
        ready: false,
        revision: None,
        ..issued()
    };
    let status = status_with(&failed, now());
    assert_eq!(reasons(&status), ["NotIssued"]);
    assert!(status.problems[0].message.contains("no DNS zone"));
    failed.ready = true;
    let status = status_with(&failed, now());
    assert_eq!(reasons(&status), ["NotRenewed"]);
    assert!(status.conditions[0].is_true());
    let unprocessed = CertificateFacts {
        created: "2026-05-31T23:58:00Z".into(),
        ..CertificateFacts::default()
    };
    assert_eq!(
        reasons(&status_with(&unprocessed, now())),
        ["IssuerNotResponding"]
    );
    let mut slow = CertificateFacts {
        processed: true,
        ..unprocessed
    };
    assert_eq!(reasons(&status_with(&slow, now())), [""; 0]);
    slow.created = "2026-05-31T23:49:00Z".into();
    let status = status_with(&slow, now());
    assert_eq!(reasons(&status), ["NotYetIssued"]);
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.type_ != "Stalled")
    );
}

#[test]
fn a_binding_that_does_not_follow_the_environment_is_rejected() {
    let refused = |change: fn(&mut CertificateBinding, &mut Observed)| {
        let (mut binding, mut observed) = (binding(), observed("example.com"));
        change(&mut binding, &mut observed);
        let problems = validate(&binding, &observed).unwrap_err();
        let reasons = problems.into_iter().map(|problem| problem.reason);
        reasons.collect::<Vec<_>>()
    };
    assert_eq!(
        refused(|binding, _| binding.spec.secret_namespace = "shops".into()),
        ["NotTheGatewaysNamespace"]
    );
    // Even if the certificate exists already.
    assert_eq!(
        refused(|binding, observed| {
            binding.spec.secret_namespace = "kube-system".into();
            observed.hosts[0].certificate = Some(issued());
        }),
        ["NotTheGatewaysNamespace"]
    );
    assert_eq!(
        refused(|binding, _| binding.spec.issuer.name = "other".into())
            .first()
            .map(String::as_str),
        Some("NotTheEnvironmentsIssuer")
    );
    assert_eq!(
        refused(|_, observed| observed.settings = EnvironmentSettings::of(&[])),
        ["EnvironmentMissing"]
    );
}
