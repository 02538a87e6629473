//! The cluster, the controller, and for each test its namespaces, an issuer and helpers to use them.

mod start;
mod waits;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::ensure;
use idp_api::{
    CertificateBinding, CertificateBindingSpec, CertificatePolicy,
    certificate_binding::{BoundHost, IssuerRef},
};
use idp_certificate_policy::{certificate_request::types::CertificateRequest, kinds::CERTIFICATE};
use idp_core::{Kind, condition::READY, labels};
use idp_testkit::{Controller, TestCluster, eventually_within};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use start::{cluster_issuers, issuer, running};
pub(crate) use start::{files, own_certificates, start};

/// The gateway's namespace and the issuer of the local Environment.
pub(crate) const GATEWAY: &str = "istio-system";
pub(crate) const LOCAL_CA: &str = "local-ca";
/// The time limit for work of several controllers, on two busy cores.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// The time limit for changes that must be visible within seconds.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Tests that stop cert-manager or the controller run alone; all others run at the same time.
static OTHERS: RwLock<()> = RwLock::const_new(());

enum Guard {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
    /// Another lab of the same test has the guard.
    Others,
}

/// The controller that all tests share.
pub(crate) struct Running {
    pub(crate) controller: Controller,
    /// The folder of its certificates; those of other controllers are in folders below it.
    pub(crate) tls: PathBuf,
}

pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    pub(crate) client: Client,
    /// The application's namespace.
    pub(crate) ns: String,
    /// The gateway's namespace in the local Environment, shared by all tests.
    pub(crate) gateway: String,
    /// A ClusterIssuer of this test only, for requests without a binding.
    pub(crate) issuer: String,
    running: Option<Arc<Running>>,
    _guard: Guard,
}

impl Lab {
    pub(crate) async fn enter() -> Self {
        let guard = OTHERS.read().await;
        Self::new(Guard::Shared { _guard: guard }).await
    }

    pub(crate) async fn alone() -> Self {
        let guard = OTHERS.write().await;
        Self::new(Guard::Alone { _guard: guard }).await
    }

    /// A second lab of the same test. It takes no guard, because waiting for a second one could deadlock.
    pub(crate) async fn another(&self) -> Self {
        Self::new(Guard::Others).await
    }

    async fn new(guard: Guard) -> Self {
        let test = TestCluster::certificates().await.expect("the cluster starts");
        let running = running(&test).await;
        let ns = test.namespace("cert").await.unwrap();
        let client = test.client.clone();
        let issuer = issuer(&client, &ns).await;
        Self {
            test,
            client,
            ns,
            gateway: GATEWAY.to_owned(),
            issuer,
            running: Some(running),
            _guard: guard,
        }
    }

    /// The controller.
    pub(crate) fn running(&self) -> &Running {
        self.running.as_deref().expect("it runs")
    }

    /// Kills the controller. Only for tests that run alone.
    pub(crate) fn kill(&mut self) -> PathBuf {
        let running = self.running.take().expect("it runs");
        let tls = running.tls.clone();
        Arc::into_inner(running)
            .expect("no other test uses the controller")
            .controller
            .kill()
            .unwrap();
        tls
    }

    /// The domain of this test.
    pub(crate) fn domain(&self) -> String {
        format!("{}.test", self.ns)
    }

    pub(crate) fn host(&self, name: &str) -> String {
        format!("{name}.{}", self.domain())
    }

    /// Creates a policy that allows this test's namespaces names below its domain from its issuer, changed by `more`.
    pub(crate) async fn policy(&self, more: Value) -> CertificatePolicy {
        self.policy_named("", more).await
    }

    pub(crate) async fn policy_named(&self, suffix: &str, more: Value) -> CertificatePolicy {
        let mut spec = json!({
            "namespaces": [{"matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.ns],
            }]}],
            "names": {"dns": {"suffixes": [self.domain()]}},
            "issuers": [{"name": self.issuer}, {"name": LOCAL_CA}],
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let name = format!("{}{suffix}", self.ns);
        let policy = json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "CertificatePolicy",
            "metadata": {"name": name}, "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        self.policies()
            .patch(&name, &params, &Patch::Apply(&policy))
            .await
            .unwrap()
    }

    pub(crate) fn policies(&self) -> Api<CertificatePolicy> {
        Api::all(self.client.clone())
    }

    pub(crate) fn bindings(&self, namespace: &str) -> Api<CertificateBinding> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn requests(&self, namespace: &str) -> Api<CertificateRequest> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn certificates(&self, namespace: &str) -> Api<DynamicObject> {
        dynamic(&self.client, CERTIFICATE, namespace)
    }

    pub(crate) async fn bind(&self, namespace: &str, application: &str, hosts: &[&str]) {
        let hosts = hosts.iter().enumerate();
        let spec = CertificateBindingSpec {
            application: application.to_owned(),
            issuer: IssuerRef {
                name: LOCAL_CA.to_owned(),
                kind: "ClusterIssuer".to_owned(),
            },
            secret_namespace: self.gateway.clone(),
            hosts: hosts
                .map(|(index, host)| BoundHost {
                    host: (*host).to_owned(),
                    path: format!("spec.routes[{index}].host"),
                })
                .collect(),
        };
        let binding = CertificateBinding::new(application, spec);
        self.bindings(namespace)
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
    }

    /// The number of Certificates in the gateway's namespace that belong to this test's namespace.
    pub(crate) async fn ordered(&self) -> anyhow::Result<usize> {
        let own = format!("{}/", self.ns);
        let all = self
            .certificates(&self.gateway)
            .list_metadata(&Default::default())
            .await?;
        let owners = all
            .items
            .iter()
            .filter_map(|object| object.annotations().get(labels::OWNER));
        Ok(owners.filter(|owner| owner.starts_with(&own)).count())
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn delete_policy(&self, name: &str) {
        let _ = self.policies().delete(name, &DeleteParams::default()).await;
    }

    /// Deletes the namespace and the cluster-scoped objects of this test, so that they do not slow down later tests.
    pub(crate) async fn clean(self) {
        let bindings = self.bindings(&self.ns);
        let _ = bindings
            .delete_collection(&DeleteParams::default(), &Default::default())
            .await;
        eventually_within(LONG, "the bindings are deleted", || async {
            let left = bindings.list(&Default::default()).await?.items.len();
            ensure!(left == 0, "{left} remain");
            Ok(())
        })
        .await;
        for policy in self.policies().list(&Default::default()).await.unwrap() {
            if policy.name_any().starts_with(&self.ns) {
                self.delete_policy(&policy.name_any()).await;
            }
        }
        let issuers: Api<DynamicObject> = cluster_issuers(&self.client);
        let _ = issuers.delete(&self.issuer, &DeleteParams::default()).await;
        self.test.delete_namespace(&self.ns).await.unwrap();
    }
}

/// Whether a binding is Ready in its present generation.
pub(crate) fn is_ready(binding: &CertificateBinding) -> bool {
    let Some(status) = &binding.status else {
        return false;
    };
    status.observed_generation == binding.metadata.generation
        && status
            .conditions
            .iter()
            .any(|condition| condition.type_ == READY && condition.is_true())
}

/// The reasons of a binding's problems.
pub(crate) fn reasons(binding: &CertificateBinding) -> Vec<&str> {
    let problems = binding.status.iter().flat_map(|status| &status.problems);
    problems.map(|problem| problem.reason.as_str()).collect()
}

pub(crate) fn dynamic(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}
