//! Plans of capabilities without a cluster, from the contents of files. The functions are those that the controllers
//! call.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use idp_api::{CertificatePolicy, ClaimClass, ClaimClassSpec, manifests};
use idp_certificate_policy::{
    reasons::NAMESPACE_NOT_SELECTED,
    rules::{self, Policy},
    section as certificates,
};
use idp_claim_broker::{reasons::CLASS_NOT_ALLOWED, section as claims};
use idp_core::{
    Problem,
    capability::{SectionPlan, SectionRequest},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::Value;

use crate::knowledge::Knowledge;

/// ClaimClasses and CertificatePolicies of the local Environment.
const LOCAL: [&str; 2] = [
    include_str!("../../../platform/claim-classes/local.yaml"),
    include_str!("../../../secrets/cert-manager/local/policies.yaml"),
];
/// The label that every namespace has.
const NAME: &str = "kubernetes.io/metadata.name";

type Labels = BTreeMap<String, String>;

/// The state that capabilities use without a cluster.
pub(crate) struct Offline {
    classes: BTreeMap<String, ClaimClassSpec>,
    policies: Vec<Policy>,
    namespaces: BTreeMap<String, Labels>,
}

impl Offline {
    /// Reads the ClaimClasses, CertificatePolicies and labels of Namespaces from these documents.
    ///
    /// # Errors
    /// The first document of these kinds that is not valid.
    pub(crate) fn of(documents: &[Value]) -> Result<Self> {
        let classes: Vec<ClaimClass> = manifests::typed(documents, "ClaimClass")?;
        let classes = classes.into_iter();
        let policies: Vec<CertificatePolicy> = manifests::typed(documents, "CertificatePolicy")?;
        Ok(Self {
            classes: classes.map(|class| (class.name_any(), class.spec)).collect(),
            policies: rules::policies(&policies),
            namespaces: namespaces(documents)?,
        })
    }

    /// Uses ClaimClasses or CertificatePolicies of the local Environment if none were given.
    ///
    /// # Errors
    /// Only if the platform's own files are not valid.
    pub(crate) fn or_local(self) -> Result<Self> {
        let mut documents = Vec::new();
        for text in LOCAL {
            documents.extend(manifests::parse(text)?);
        }
        let mut offline = Self::of(&documents)?;
        if !self.classes.is_empty() {
            offline.classes = self.classes;
        }
        if !self.policies.is_empty() {
            offline.policies = self.policies;
        }
        offline.namespaces = self.namespaces;
        Ok(offline)
    }

    /// The plan of a capability. It assumes that no objects exist and that no other application uses the hosts. Without
    /// ClaimClasses or CertificatePolicies their capability counts as not deployed, and so do capabilities that the
    /// platform team has added.
    pub(crate) fn ask(&self, name: &str, request: &SectionRequest) -> Option<SectionPlan> {
        let labels = self.labels(&request.namespace);
        let knowledge = Knowledge {
            claims: (!self.classes.is_empty()).then(|| claims::Known {
                classes: self.classes.clone(),
                unreadable: BTreeMap::new(),
                labels: labels.clone(),
                ..claims::Known::default()
            }),
            certificates: (!self.policies.is_empty()).then(|| certificates::Known {
                policies: self.policies.clone(),
                labels,
            }),
            ..Knowledge::default()
        };
        let mut plan = knowledge.ask(name, request)?;
        if !self.namespaces.contains_key(&request.namespace) {
            plan.problems
                .iter_mut()
                .for_each(|problem| doubt(problem, &request.namespace));
        }
        Some(plan)
    }

    /// Labels of a Namespace, if a file contains it.
    pub(crate) fn labels_in_files(&self, namespace: &str) -> Option<Labels> {
        self.namespaces.get(namespace).cloned()
    }

    fn labels(&self, namespace: &str) -> Labels {
        let mut labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
        labels.insert(NAME.to_owned(), namespace.to_owned());
        labels
    }
}

fn namespaces(documents: &[Value]) -> Result<BTreeMap<String, Labels>> {
    let namespaces = documents
        .iter()
        .filter(|document| document["apiVersion"] == "v1" && document["kind"] == "Namespace");
    namespaces
        .map(|document| {
            let namespace = Namespace::deserialize(document)
                .with_context(|| format!("Namespace {}", document["metadata"]["name"]))?;
            Ok((namespace.name_any(), namespace.labels().clone()))
        })
        .collect()
}

/// A Namespace that is in no file may have labels: the hint says how to provide it.
fn doubt(problem: &mut Problem, namespace: &str) {
    if problem.reason == NAMESPACE_NOT_SELECTED || problem.reason == CLASS_NOT_ALLOWED {
        let known = problem.hint.take().map_or_else(String::new, |hint| hint + " ");
        problem.hint = Some(format!(
            "{known}Without a cluster only labels in files count: pass Namespace {namespace} too if it has labels."
        ));
    }
}

#[cfg(test)]
mod tests {
    use idp_webapp::capabilities::{CERTIFICATES, CLAIMS};
    use serde_json::json;

    use super::*;

    fn request(section: Value) -> SectionRequest {
        SectionRequest {
            namespace: "sample".into(),
            application: "shop".into(),
            environment: "local".into(),
            environment_spec: json!({
                "classes": {"postgres": "local-postgres"},
                "certificates": {"issuer": "local-ca", "kind": "ClusterIssuer"},
                "gateway": {"namespace": "istio-system"},
            }),
            section,
            path: "spec".into(),
        }
    }

    fn nothing() -> Offline {
        Offline::of(&[]).unwrap()
    }

    #[test]
    fn the_local_environment_offers_a_database() {
        let request = request(json!({"databases": [{"name": "orders", "engine": "postgres"}]}));
        let plan = nothing().or_local().unwrap().ask(CLAIMS, &request).unwrap();
        assert_eq!(plan.problems, []);
        assert_eq!(plan.bindings[0].name, "shop-orders");
        assert!(plan.env.iter().any(|variable| variable.name == "ORDERS_HOST"));
        assert!(nothing().ask(CLAIMS, &request).is_none());
    }

    fn host(host: &str) -> SectionRequest {
        request(json!({"hosts": [{"host": host, "path": "spec.routes[0].host"}]}))
    }

    #[test]
    fn the_local_environment_lets_its_hosts_have_certificates() {
        let local = nothing().or_local().unwrap();
        let plan = local.ask(CERTIFICATES, &host("shop.idp.localhost")).unwrap();
        assert_eq!(plan.problems, []);
        assert_eq!(plan.bindings[0].spec["issuer"]["name"], "local-ca");
        let refused = local.ask(CERTIFICATES, &host("shop.example.org")).unwrap();
        assert_eq!(refused.problems[0].reason, "NameNotAllowed");
        assert!(nothing().ask(CERTIFICATES, &host("shop.idp.localhost")).is_none());
    }

    #[test]
    fn labels_of_namespaces_count_where_a_file_has_them() {
        let policy = json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "CertificatePolicy", "metadata": {"name": "shops"},
            "spec": {
                "namespaces": [{"matchLabels": {"team": "shop"}}],
                "names": {"dns": {"suffixes": ["example.org"]}},
                "issuers": [{"name": "local-ca"}],
            },
        });
        let namespace = |labels: Value| {
            json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sample", "labels": labels},
            })
        };
        let problems = |documents: &[Value]| {
            let offline = Offline::of(documents).unwrap().or_local().unwrap();
            let plan = offline.ask(CERTIFICATES, &host("shop.example.org")).unwrap();
            plan.problems
        };
        assert_eq!(
            problems(&[policy.clone(), namespace(json!({"team": "shop"}))]),
            []
        );
        let hint = |documents: &[Value]| {
            let problem = problems(documents).remove(0);
            assert_eq!(problem.reason, NAMESPACE_NOT_SELECTED);
            problem.hint.unwrap()
        };
        assert!(hint(std::slice::from_ref(&policy)).contains("pass Namespace sample too"));
        assert!(!hint(&[policy, namespace(json!({}))]).contains("pass Namespace"));
    }
}
