//! NetworkPolicy: sources that may connect to the application, and destinations that it may connect to.

mod egress;
mod ingress;

use std::collections::BTreeMap;

use idp_core::{Child, labels};
use ipnet::IpNet;
use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{kinds, validate::Validated};

/// Port on which ambient mode tunnels all traffic between pods (HBONE).
const HBONE: i32 = 15008;

/// One policy for both directions, which denies by default and permits what the application declares.
///
/// It is one object, rather than a default denial and separate exceptions: any policy that selects a pod for a
/// direction already denies everything there that no policy permits. A separate denial would be one more object to
/// write, watch and prune, without effect, and for a time only one of the two would exist.
///
/// It selects by the application's name only, so it includes the pods of migrations and jobs.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let ingress = ingress::rules(app);
    let policy = NetworkPolicy {
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching(labels::every_pod(&app.name))),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress).filter(|rules| !rules.is_empty()),
            egress: Some(egress::rules(app)),
        }),
        ..NetworkPolicy::default()
    };
    vec![Child::typed(
        kinds::NETWORK_POLICY,
        &app.child_meta(&app.name),
        &policy,
    )]
}

fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    }
}

/// Pods of a namespace (`None`: of every namespace) with these labels (`None`: all).
fn pods(namespace: Option<&str>, labels: Option<BTreeMap<String, String>>) -> NetworkPolicyPeer {
    // The API server itself sets this label on every namespace, so it cannot be forged.
    let by_name = |name: &str| matching([("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into());
    NetworkPolicyPeer {
        namespace_selector: Some(namespace.map(by_name).unwrap_or_default()),
        pod_selector: labels.map(matching),
        ip_block: None,
    }
}

/// A range of addresses, excluding some parts.
fn addresses(cidr: &str, except: &[&str]) -> NetworkPolicyPeer {
    let except = Some(except.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
    NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.to_owned(),
            except: except.filter(|parts| !parts.is_empty()),
        }),
        ..NetworkPolicyPeer::default()
    }
}

/// The same for a parsed range.
fn block(range: IpNet, except: &[IpNet]) -> NetworkPolicyPeer {
    let except: Vec<String> = except.iter().map(IpNet::to_string).collect();
    addresses(
        &range.to_string(),
        &except.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number)),
        ..NetworkPolicyPort::default()
    }
}

/// TCP ports. `None` in a rule permits every port of every protocol.
fn tcp(numbers: impl IntoIterator<Item = i32>) -> Option<Vec<NetworkPolicyPort>> {
    let ports: Vec<_> = numbers.into_iter().map(|number| port("TCP", number)).collect();
    Some(ports).filter(|ports| !ports.is_empty())
}

/// The rules in the same order, without duplicates.
fn once<Rule: PartialEq>(rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let mut all = Vec::new();
    for rule in rules {
        if !all.contains(&rule) {
            all.push(rule);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixture::{app, only_spec};

    #[test]
    fn default_deny_but_for_dns_and_the_mesh() {
        let children = children(&app());
        let spec = only_spec(&children);
        assert_eq!(
            spec["podSelector"],
            json!({"matchLabels": {"idp.dev/application": "shop"}})
        );
        assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(spec["egress"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_absent_ingress_list_still_denies() {
        let mut app = app();
        app.mesh.mode = idp_api::environment::MeshMode::None;
        assert!(only_spec(&children(&app)).get("ingress").is_none());
    }
}
