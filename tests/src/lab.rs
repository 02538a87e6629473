//! The namespace of a test, and helpers.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use idp_api::{Environment, SecretBinding, WebApplication};
use idp_core::{
    Kind, Problem,
    capability::{SectionPlan, SectionRequest},
};
use idp_testkit::{TestCluster, eventually, eventually_within, stub::Stub};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Namespace};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{Beside, app, beside, is_ready, why};

/// `ExternalSecret`.
pub const EXTERNAL_SECRET: Kind =
    Kind::namespaced("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
/// Time limit for a rollout on a busy machine.
const LONG: Duration = Duration::from_secs(600);

/// Polling interval for many applications, because each response is large.
const PAUSE: Duration = Duration::from_secs(1);

/// A namespace, and the cluster that it is in.
pub struct Lab {
    /// The cluster.
    pub test: TestCluster,
    /// An administrator's client.
    pub client: Client,
    /// The namespace.
    pub ns: String,
    /// Addresses of capabilities.
    pub addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Lab {
    /// A new namespace in the cluster that `beside` requires; our controllers run from the first call on. Its client
    /// belongs to the runtime of the calling test.
    pub async fn new(prefix: &str, beside: Beside) -> Self {
        let running = tokio::task::block_in_place(|| beside.run());
        let client = running.cluster.client().await.unwrap();
        let test = TestCluster {
            cluster: running.cluster,
            client: client.clone(),
        };
        let ns = test.namespace(prefix).await.unwrap();
        Self {
            test,
            client,
            ns,
            addresses: running.addresses,
        }
    }

    /// The same cluster, in a namespace that exists already.
    pub fn within(&self, namespace: &str) -> Self {
        Self {
            test: TestCluster {
                cluster: self.test.cluster.clone(),
                client: self.client.clone(),
            },
            client: self.client.clone(),
            ns: namespace.to_owned(),
            addresses: self.addresses.clone(),
        }
    }

    /// Deletes the namespace.
    pub async fn end(self) {
        self.test.delete_namespace(&self.ns).await.unwrap();
    }

    /// Deletes the namespace and waits until it is gone, so that it does not affect the next test.
    pub async fn end_and_wait(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let name = self.ns.clone();
        self.end().await;
        eventually_within(LONG, "the namespace is gone", || async {
            let left = namespaces
                .get_opt(&name)
                .await
                .map_err(|error| error.to_string())?;
            match left {
                None => Ok(()),
                Some(left) => Err(format!("{:?}", left.status)),
            }
        })
        .await;
    }

    /// Serves a capability.
    pub fn stub(
        &self,
        capability: &str,
        answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static,
    ) -> Stub {
        Stub::start(&self.test.cluster, self.addresses[capability], capability, answer)
    }

    /// Objects of the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.ns)
    }

    /// Objects of a kind without a Rust type.
    pub fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.ns, &kind.api_resource())
    }

    /// The applications.
    pub fn apps(&self) -> Api<WebApplication> {
        Api::namespaced(self.client.clone(), &self.ns)
    }

    /// The SecretBindings.
    pub fn bindings(&self) -> Api<SecretBinding> {
        Api::namespaced(self.client.clone(), &self.ns)
    }

    /// Creates an application.
    pub async fn create(&self, name: &str, spec: Value) -> WebApplication {
        let app = app(&self.ns, name, &spec);
        let created = self.apps().create(&PostParams::default(), &app).await;
        created.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whether the API server accepts an application with this spec; its message if not.
    pub async fn refusal(&self, name: &str, spec: Value) -> Option<String> {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let mut whole = serde_json::to_value(app(&self.ns, name, &json!({}))).unwrap();
        let fields = whole["spec"].as_object_mut().unwrap();
        fields.extend(spec.as_object().unwrap().clone());
        let kind = Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");
        let object: DynamicObject = serde_json::from_value(whole).unwrap();
        let answer = self.objects(kind).create(&dry, &object).await;
        answer.err().map(|error| error.to_string())
    }

    /// Changes fields of an application's spec.
    pub async fn change(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let changed = self.apps().patch(name, &PatchParams::default(), &patch).await;
        changed.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Deletes an application.
    pub async fn delete(&self, name: &str) {
        self.apps().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The live application.
    pub async fn get(&self, name: &str) -> WebApplication {
        self.apps().get(name).await.unwrap()
    }

    /// Waits until the application is Ready.
    pub async fn ready(&self, name: &str) -> WebApplication {
        self.ready_within(LONG, name).await
    }

    /// The same with another limit.
    pub async fn ready_within(&self, limit: Duration, name: &str) -> WebApplication {
        let what = format!("{name} in {} is Ready", self.ns);
        eventually_within(limit, &what, || async {
            let app = self.apps().get(name).await.map_err(|error| error.to_string())?;
            if is_ready(&app) { Ok(app) } else { Err(why(&app)) }
        })
        .await
    }

    /// Waits until the status of the current generation has a problem with this reason.
    pub async fn problem(&self, name: &str, reason: &str) -> Problem {
        let what = format!("{name} in {} has the problem {reason}", self.ns);
        eventually(&what, || async {
            let app = self.apps().get(name).await.map_err(|error| error.to_string())?;
            let status = app.status.clone().unwrap_or_default();
            if status.observed_generation != app.metadata.generation {
                return Err("the status is of an older generation".to_owned());
            }
            let mut problems = status.problems.into_iter();
            problems
                .find(|problem| problem.reason == reason)
                .ok_or_else(|| why(&app))
        })
        .await
    }

    /// Waits until all applications of the namespace are Ready, and there are `count`.
    pub async fn all_ready(&self, count: usize, limit: Duration) {
        eventually_within(limit, "all applications are Ready", || async {
            tokio::time::sleep(PAUSE).await;
            let apps = self.apps().list(&ListParams::default()).await;
            let apps = apps.map_err(|error| error.to_string())?.items;
            let waiting: Vec<_> = apps.iter().filter(|app| !is_ready(app)).collect();
            match waiting.first() {
                None if apps.len() == count => Ok(()),
                None => Err(format!("{} applications", apps.len())),
                Some(app) => Err(format!("{} are not; one: {}", waiting.len(), why(app))),
            }
        })
        .await;
    }

    /// Writes a secret of the application `name` into the remote store.
    pub async fn put(&self, name: &str, key: &str, value: &Value) {
        let remote = self.test.secrets_manager().unwrap();
        remote.put(&self.key(name, key), value).await.unwrap();
    }

    /// The full key of a secret of the application `name`.
    pub fn key(&self, name: &str, key: &str) -> String {
        format!("{}/{name}/{key}", self.ns)
    }

    /// Writes secrets of many applications, all with one value.
    pub async fn put_all(&self, names: &[String], key: &str, value: &Value) {
        for name in names {
            self.put(name, key, value).await;
        }
    }

    /// The cluster's Environment.
    pub async fn environment(&self) -> Environment {
        Api::all(self.client.clone()).get("local").await.unwrap()
    }

    /// Applies the store of the repository again.
    pub async fn restore_store(&self) {
        beside::secret_store(&self.test).await;
    }
}
