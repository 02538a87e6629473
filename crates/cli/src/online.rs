//! State that a plan depends on, read from a cluster with the user's permissions.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use idp_api::{
    CertificateBinding, CertificatePolicy, ClaimBinding, ClaimClass, ClaimClassSpec, Environment,
    WebApplication,
};
use idp_certificate_policy::{
    rules::{self, Policy},
    section as certificates,
};
use idp_claim_broker::{retention::cli as data, section as claims};
use idp_core::{Kind, labels};
use idp_runtime::{
    ObjectKey,
    reading::{self, Listed, RawObject, Unreadable},
};
use idp_webapp::{
    capabilities::binding,
    facts::{self, JobFacts, VirtualServiceFacts},
    hosts, kinds,
    observe::Observed,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{knowledge::Knowledge, terminal::note};

/// State of the cluster that concerns all applications.
pub(crate) struct Online {
    client: Client,
    /// The cluster's Environment.
    pub(crate) environment: Environment,
    classes: BTreeMap<String, ClaimClassSpec>,
    policies: Vec<Policy>,
    apps: Vec<WebApplication>,
    /// Hosts that each VirtualService serves at a gateway.
    routed: BTreeMap<ObjectKey, VirtualServiceFacts>,
    /// Labels of each namespace.
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

impl Online {
    /// Reads the state of the cluster.
    ///
    /// # Errors
    /// When a request fails, or the cluster does not have exactly one Environment.
    pub(crate) async fn of(client: &Client) -> Result<Self> {
        let mut environments: Vec<Environment> = all(client, "Environments").await?;
        let (Some(environment), true) = (environments.pop(), environments.is_empty()) else {
            bail!(
                "the cluster must have exactly one Environment: run `kubectl get environments` to list them"
            );
        };
        let classes: Vec<ClaimClass> = all(client, "ClaimClasses").await?;
        let policies: Vec<CertificatePolicy> = all(client, "CertificatePolicies").await?;
        let mut routed = BTreeMap::new();
        for object in list(client, kinds::VIRTUAL_SERVICE, None, "").await? {
            let facts: VirtualServiceFacts =
                parse(&facts::foreign_virtual_service(&object)).unwrap_or_default();
            routed.insert(ObjectKey::of(&object), facts);
        }
        let namespaces: Vec<Namespace> = all(client, "Namespaces").await?;
        Ok(Self {
            client: client.clone(),
            environment,
            classes: classes
                .into_iter()
                .map(|class| (class.name_any(), class.spec))
                .collect(),
            policies: rules::policies(&policies),
            apps: all(client, "WebApplications").await?,
            routed,
            namespaces: namespaces
                .into_iter()
                .map(|namespace| (namespace.name_any(), namespace.labels().clone()))
                .collect(),
        })
    }

    /// State that the capabilities use, for one namespace.
    ///
    /// # Errors
    /// When a request fails, or the namespace does not exist.
    pub(crate) async fn knowledge(&self, namespace: &str) -> Result<Knowledge> {
        let found = Api::<Namespace>::all(self.client.clone()).get(namespace).await;
        let labels = found
            .with_context(|| format!("namespace {namespace}"))?
            .labels()
            .clone();
        let bindings: Vec<ClaimBinding> = within(&self.client, namespace, "ClaimBindings").await?;
        let bound: Vec<CertificateBinding> = within(&self.client, namespace, "CertificateBindings").await?;
        let of_claims = data::kinds(&self.client).await?;
        let held = data::list(&self.client, &of_claims, Some(namespace)).await?;
        let issued = bound.into_iter().filter_map(|binding| binding.status);
        let issued = issued.flat_map(|status| status.certificates);
        Ok(Knowledge {
            claims: (!self.classes.is_empty()).then(|| claims::Known {
                classes: self.classes.clone(),
                unreadable: BTreeMap::new(),
                labels: labels.clone(),
                bindings: bindings
                    .into_iter()
                    .map(|binding| (binding.name_any(), known(binding)))
                    .collect(),
                claims: held
                    .into_iter()
                    .map(|held| (held.claim.name.clone(), held.claim))
                    .collect(),
            }),
            certificates: (!self.policies.is_empty()).then(|| certificates::Known {
                policies: self.policies.clone(),
                labels,
            }),
            issued: issued
                .filter(|certificate| certificate.ready)
                .map(|certificate| certificate.host)
                .collect(),
        })
    }

    /// Existing objects of an application, and which of its hosts others use.
    ///
    /// # Errors
    /// When a request fails.
    pub(crate) async fn observed(&self, app: &WebApplication) -> Result<Observed> {
        let namespace = app.namespace().unwrap_or_default();
        let own = format!("{}={}", labels::APPLICATION, app.name_any());
        let mut bindings = Vec::new();
        for kind in kinds::BINDINGS {
            let found = list(&self.client, kind, Some(&namespace), &own).await?;
            bindings.extend(found.iter().filter_map(|object| parse(&binding(object))));
        }
        let jobs = list(&self.client, kinds::JOB, Some(&namespace), &own).await?;
        let deployments = list(&self.client, kinds::DEPLOYMENT, Some(&namespace), &own).await?;
        let mut deployments = deployments.iter();
        let deployment = deployments.find(|deployment| deployment.name_any() == app.name_any());
        Ok(Observed {
            taken_hosts: hosts::claimed_by_others(app, &self.host_claims(app)),
            namespace_labels: self.namespaces.get(&namespace).cloned(),
            migrations: jobs
                .iter()
                .filter_map(|job| Some((job.name_any(), parse::<JobFacts>(&facts::job(job))?.state)))
                .collect(),
            deployment: deployment.and_then(|deployment| parse(&facts::deployment(deployment))),
            bindings,
            ..Observed::default()
        })
    }
}

impl Online {
    /// Everything else that claims hosts.
    fn host_claims(&self, app: &WebApplication) -> hosts::HostClaims<'_> {
        let own = ObjectKey::of(app);
        let (mine, others): (Vec<_>, Vec<_>) = self.routed.iter().partition(|(key, routed)| {
            key.namespace == own.namespace && routed.application.as_ref() == Some(&own.name)
        });
        hosts::HostClaims {
            environment: &self.environment.spec,
            own: mine
                .into_iter()
                .flat_map(|(_, routed)| routed.hosts.clone())
                .collect(),
            virtual_services: others
                .into_iter()
                .map(|(key, routed)| (key.clone(), routed.clone()))
                .collect(),
            applications: self.apps.iter().collect(),
            labels: Box::new(|namespace| self.namespaces.get(namespace).cloned().unwrap_or_default()),
        }
    }
}

fn known(binding: ClaimBinding) -> claims::KnownBinding {
    claims::KnownBinding {
        phase: binding.status.and_then(|status| status.phase),
        spec: binding.spec,
    }
}

fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

async fn all<K>(client: &Client, what: &'static str) -> Result<Vec<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    readable(reading::list(client, None, &ListParams::default()).await, what)
}

async fn within<K>(client: &Client, namespace: &str, what: &'static str) -> Result<Vec<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    readable(
        reading::list(client, Some(namespace), &ListParams::default()).await,
        what,
    )
}

/// The items of a list. Items that cannot be parsed are named in a warning; their readable part still counts, so that
/// nothing that they use is given away.
fn readable<K>(found: kube::Result<Listed<K>>, what: &'static str) -> Result<Vec<K>>
where
    K: kube::Resource<DynamicType = ()>,
{
    let Listed {
        mut items,
        unreadable,
    } = found.context(what)?;
    for object in unreadable {
        left_out(&K::kind(&()), &object);
        items.extend(object.rest);
    }
    Ok(items)
}

/// Warns about an object that cannot be parsed.
pub(crate) fn left_out<K>(kind: &str, object: &Unreadable<K>) {
    note(&format!(
        "warning: {kind} {} cannot be parsed and is ignored: {}",
        object.key(),
        object.error
    ));
}

/// API for objects of a kind, of any nesting depth.
pub(crate) fn seen(client: &Client, kind: Kind, namespace: Option<&str>) -> Api<RawObject> {
    let resource = kind.api_resource();
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Objects of a kind with these labels; none if the cluster does not serve the kind.
async fn list(
    client: &Client,
    kind: Kind,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Vec<DynamicObject>> {
    let selected = ListParams::default().labels(selector);
    match reading::list_raw(client, &kind.api_resource(), namespace, &selected).await {
        Ok(found) => Ok(found.into_iter().map(RawObject::dynamic).collect()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error).context(kind.to_string()),
    }
}
