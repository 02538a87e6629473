//! The controller of `AllowedHosts`: one, owned by the Environment.

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use idp_api::{
    AllowedHostsSpec, Environment,
    environment::GatewayMode,
    kinds::{ALLOWED_HOSTS, CERTIFICATE_POLICY},
};
use idp_core::{Child, Condition, Plan, Prepared, Problem, StatusView, labels};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, View, Watch};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::{grants, hosts};
use crate::{
    certificate_request::requirements::Issuer,
    controller_names,
    rules::Policy,
    shared_cache::{self, Shared},
};

/// The controller of `AllowedHosts`.
pub struct AdmissionController {
    /// Policies.
    pub shared: Shared,
}

/// An Environment has no status.
#[derive(Clone, Debug, PartialEq)]
pub struct NoStatus;

impl Serialize for NoStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for NoStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl StatusView for NoStatus {
    fn conditions(&self) -> &[Condition] {
        &[]
    }

    fn problems(&self) -> &[Problem] {
        &[]
    }
}

impl Reconcile for AdmissionController {
    type Resource = Environment;
    type Observed = Vec<Policy>;
    type Validated = Option<(String, AllowedHostsSpec)>;
    type Status = NoStatus;

    const NAME: &'static str = controller_names::ADMISSION;
    /// An Environment has no status.
    const OWNS_STATUS: bool = false;

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::children(ALLOWED_HOSTS)]
    }

    fn current_status(_: &Environment) -> Option<&NoStatus> {
        Some(&NoStatus)
    }

    async fn observe(
        &self,
        _: &Arc<Environment>,
        _: &View<Self::Resource>,
    ) -> Result<Vec<Policy>, ObserveError> {
        Ok(shared_cache::policies(&self.shared))
    }

    fn validate(
        &self,
        environment: &Environment,
        policies: &Vec<Policy>,
    ) -> Result<Self::Validated, Vec<Problem>> {
        let spec = &environment.spec;
        if spec.gateway.mode == GatewayMode::None {
            return Ok(None);
        }
        let allowed = AllowedHostsSpec {
            base_domain: spec.base_domain.clone(),
            shared_gateway: spec
                .gateway
                .shared
                .clone()
                .filter(|_| spec.gateway.mode == GatewayMode::Shared),
            hosts: hosts(&spec.hosts, &spec.base_domain),
            ..AllowedHostsSpec::default()
        };
        // Only where each application has a Gateway of its own are certificates ordered for its hosts.
        let certificates = spec
            .certificates
            .as_ref()
            .filter(|_| spec.gateway.mode == GatewayMode::Dedicated);
        let grants = certificates.and_then(|certificates| {
            let issuer = Issuer {
                name: certificates.issuer.clone(),
                kind: certificates.kind.clone(),
                group: String::new(),
            };
            grants(policies, &issuer.completed())
        });
        let allowed = AllowedHostsSpec {
            orders_certificates: grants.is_some(),
            grants: grants.unwrap_or_default(),
            ..allowed
        };
        Ok(Some((environment.name_any(), allowed)))
    }

    fn plan(&self, validated: &Self::Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        let children = validated.iter().map(|(environment, spec)| {
            let metadata = ObjectMeta {
                name: Some(environment.clone()),
                labels: Some([(labels::MANAGED_BY.to_owned(), Self::NAME.to_owned())].into()),
                ..ObjectMeta::default()
            };
            Child::with_spec(ALLOWED_HOSTS, &metadata, json!(spec))
        });
        Ok(Plan {
            children: children.collect(),
            ..Plan::default()
        })
    }

    fn status(
        &self,
        _: &Environment,
        _: &Vec<Policy>,
        _: Option<&Self::Validated>,
        _: &Outcome,
        _: Timestamp,
    ) -> NoStatus {
        NoStatus
    }

    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let view = view.clone();
        let all = move |_| {
            let environments = view.resources();
            environments
                .iter()
                .map(|environment| ObjectKey::of(environment.as_ref()))
                .collect()
        };
        self.shared.changes(CERTIFICATE_POLICY).map(all).boxed()
    }
}
