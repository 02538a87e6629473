use super::*;
use crate::rules::tests::{policy, requester};

fn known() -> Known {
    Known {
        policies: vec![policy()],
        labels: requester().labels,
    }
}

fn request(hosts: &[&str]) -> SectionRequest {
    let hosts = hosts.iter().enumerate();
    let hosts =
        hosts.map(|(index, host)| json!({"host": host, "path": format!("spec.routes[{index}].host")}));
    SectionRequest {
        namespace: "shops".into(),
        application: "shop".into(),
        environment: "test".into(),
        environment_spec: json!({
            "certificates": {"issuer": "ca", "kind": "ClusterIssuer"},
            "gateway": {"namespace": "istio-system"},
        }),
        section: json!({"hosts": hosts.collect::<Vec<_>>()}),
        path: "spec.routes".into(),
    }
}

fn free(_: &str, _: &str) -> KnownHost {
    KnownHost::default()
}

fn reasons(plan: &SectionPlan) -> Vec<(&str, bool)> {
    let problems = plan.problems.iter();
    problems
        .map(|problem| (problem.reason.as_str(), problem.is_error()))
        .collect()
}

#[test]
fn hosts_become_one_binding_and_a_secret_each() {
    let hosts = ["b.apps.example.com", "a.apps.example.com", "b.apps.example.com"];
    let plan = plan(&request(&hosts), &known(), free);
    assert_eq!(plan.problems, []);
    let [binding] = &plan.bindings[..] else {
        panic!("{:?}", plan.bindings)
    };
    assert_eq!(
        (binding.kind.as_str(), binding.name.as_str()),
        ("CertificateBinding", "shop")
    );
    assert_eq!(
        binding.spec["hosts"],
        json!([
            {"host": "a.apps.example.com", "path": "spec.routes[1].host"},
            {"host": "b.apps.example.com", "path": "spec.routes[0].host"},
        ])
    );
    assert_eq!(
        plan.outputs["a.apps.example.com"],
        secret::name("a.apps.example.com")
    );
}

#[test]
fn a_host_that_no_policy_allows_is_rejected_unless_it_has_a_certificate() {
    let elsewhere = request(&["shop.example.org"]);
    let refused = plan(&elsewhere, &known(), free);
    assert_eq!(reasons(&refused), [("NameNotAllowed", true)]);
    let has = |_: &str, _: &str| KnownHost {
        has_certificate: true,
        ..KnownHost::default()
    };
    let kept = plan(&elsewhere, &known(), has);
    assert_eq!(reasons(&kept), [("NotAllowedAnyMore", false)]);
    let foreign = Known {
        labels: BTreeMap::new(),
        ..known()
    };
    let refused = plan(&request(&["shop.apps.example.com"]), &foreign, free);
    assert_eq!(reasons(&refused), [("NamespaceNotSelected", true)]);
}

#[test]
fn the_holder_of_a_host_keeps_it() {
    let other = Holder::binding(idp_core::ObjectKey::new("shops", "older"));
    let held = |host: &str, gateway: &str| KnownHost {
        holder: (host == "a.apps.example.com" && gateway == "istio-system").then(|| other.clone()),
        ..KnownHost::default()
    };
    let plan = plan(
        &request(&["a.apps.example.com", "b.apps.example.com"]),
        &known(),
        held,
    );
    assert_eq!(reasons(&plan), [("HostTaken", true)]);
    assert_eq!(plan.problems[0].path.as_deref(), Some("spec.routes[0].host"));
}

#[test]
fn an_environment_without_an_issuer_orders_nothing() {
    let mut request = request(&["shop.apps.example.com"]);
    request.environment_spec = json!({"gateway": {"namespace": "istio-system"}});
    assert_eq!(reasons(&plan(&request, &known(), free)), [("NoIssuer", true)]);
    request.environment_spec = json!({
        "certificates": {"issuer": "ca", "kind": "ClusterIssuer"},
        "gateway": {"mode": "Shared", "shared": "istio-ingress/public", "namespace": "istio-ingress"},
    });
    let shared = plan(&request, &known(), free);
    assert_eq!(reasons(&shared), [("CertificatesNotOrdered", true)]);
    assert!(shared.bindings.is_empty());
    request.section = json!({"hosts": []});
    assert_eq!(plan(&request, &known(), free), SectionPlan::default());
    request.section = json!({"names": []});
    assert_eq!(
        reasons(&plan(&request, &known(), free)),
        [("InvalidSection", true)]
    );
}
