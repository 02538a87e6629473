//! Shared by the cluster tests: a cluster with Crossplane, a fake cloud, and brokers.

pub(crate) mod cloud;
mod fields;
pub(crate) mod offers;
pub(crate) mod tls;
pub(crate) mod way;

use std::{
    fmt::Debug,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use idp_api::{ClaimBinding, ClaimBindingSpec, ClaimBindingStatus, ClaimClass, claim_binding::ClaimPhase};
use idp_claim_broker::{NAME, class_template};
use idp_core::{Problem, Reason, condition::READY};
use idp_testkit::{
    Controller, TestCluster,
    audit::{Audit, Request},
    eventually_within,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub(crate) use way::{Way, both_ways};

/// The time limit for many claims together, on two busy cores.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// The time limit for one claim.
pub(crate) const SHORT: Duration = Duration::from_secs(120);

/// The cluster, for one test at a time, because tests stop Crossplane, kill brokers and count requests.
pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    pub(crate) way: Way,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::const_new(());

impl Lab {
    /// For tests of claims.
    pub(crate) async fn with_claims() -> Self {
        Self::enter(Way::Claims).await
    }

    /// For tests of composite resources in namespaces.
    pub(crate) async fn with_composites() -> Self {
        Self::enter(Way::Namespaced).await
    }

    async fn enter(way: Way) -> Self {
        let alone = ALONE.lock().await;
        let test = TestCluster::peers().await.expect("the cluster starts");
        let lab = Self {
            test,
            way,
            _alone: alone,
        };
        static DEFINED: [OnceCell<()>; 2] = [const { OnceCell::const_new() }; 2];
        DEFINED[usize::from(way.is_namespaced())]
            .get_or_init(|| lab.define())
            .await;
        let objects = [way.rights(), Way::admission(), vec![way.test_composition()]];
        for object in objects.concat() {
            lab.apply(object).await;
        }
        cloud::start(lab.test.cluster.kubeconfig_file().expect("an embedded cluster"));
        lab
    }

    /// Applies CRDs and definitions, once in a program: the API server works long at each CRD, even at one that is the same.
    async fn define(&self) {
        // The fake cloud serves both ways.
        let machines = [Way::Claims, Way::Namespaced].map(cloud::definition);
        for object in machines.into_iter().chain(self.way.definitions()) {
            self.apply(object).await;
        }
        for kind in self.way.kinds() {
            let api = Api::<DynamicObject>::all_with(self.client(), &kind.api_resource());
            eventually_within(SHORT, "the kinds are served", || async {
                api.list(&ListParams::default().limit(1)).await
            })
            .await;
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.test.client.clone()
    }

    pub(crate) async fn apply(&self, object: Value) {
        eventually_within(SHORT, "applied", || self.test.apply(object.clone())).await;
    }

    /// Applies a class for this namespace, `pg-NAMESPACE`, with `changes` merged into its spec.
    pub(crate) async fn class(&self, namespace: &str, changes: Value) -> String {
        let name = format!("pg-{namespace}");
        let mut spec = json!({
            "engine": "postgres",
            "resource": {
                "type": self.way.resource_type(),
                "apiVersion": self.way.api_version(), "kind": self.way.postgres().kind,
            },
            "compositionSelector": { "provider": "test" },
            "versions": ["15", "16", "99", "slow"], "defaultVersion": "16",
            "sizes": { "small": { "gb": 20 }, "large": { "gb": 100 } }, "defaultSize": "small",
            "template": { "parameters": { "storageGB": "{size.gb}", "version": "{version}", "connectionSecret": "{secret}" } },
            "connection": {
                "keys": [{ "key": "host", "env": "HOST" }, { "key": "port", "env": "PORT" }],
                "egress": [{ "pods": { "labels": { "database": "{name}" } }, "ports": [5432] }],
                "variables": [{ "env": "URL", "value": "postgres://$(HOST):$(PORT)/{database}" }],
            },
        });
        merge(&mut spec, changes);
        self.apply(json!({ "apiVersion": "idp.dev/v1alpha1", "kind": "ClaimClass", "metadata": { "name": name }, "spec": spec })).await;
        name
    }

    pub(crate) fn classes(&self) -> Api<ClaimClass> {
        Api::all(self.client())
    }

    pub(crate) fn bindings(&self, namespace: &str) -> Api<ClaimBinding> {
        Api::namespaced(self.client(), namespace)
    }

    pub(crate) fn claims(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, &self.way.postgres().api_resource())
    }

    /// Creates a binding, as the webapp controller would.
    pub(crate) async fn bind(&self, binding: &ClaimBinding) -> ClaimBinding {
        let namespace = binding.namespace().unwrap();
        self.bindings(&namespace)
            .create(&PostParams::default(), binding)
            .await
            .expect("the binding is valid")
    }

    pub(crate) async fn patch_binding(
        &self,
        namespace: &str,
        name: &str,
        patch: Value,
    ) -> kube::Result<ClaimBinding> {
        self.bindings(namespace)
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }

    /// Waits until the status of a binding is as wanted, for its present generation.
    pub(crate) async fn until(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&ClaimBindingStatus) -> bool,
    ) -> ClaimBinding {
        self.until_within(SHORT, namespace, name, what, wanted).await
    }

    pub(crate) async fn until_within(
        &self,
        limit: Duration,
        namespace: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&ClaimBindingStatus) -> bool,
    ) -> ClaimBinding {
        eventually_within(limit, what, || async {
            let binding = self.bindings(namespace).get(name).await?;
            let status = binding.status.clone().ok_or_else(|| anyhow!("no status"))?;
            ensure!(
                status.observed_generation == binding.metadata.generation,
                "not observed yet"
            );
            ensure!(wanted(&status), "{status:#?}");
            Ok(binding)
        })
        .await
    }

    pub(crate) async fn until_ready(&self, namespace: &str, name: &str) -> ClaimBinding {
        self.until(namespace, name, "the binding is ready", |status| {
            status.phase == Some(ClaimPhase::Ready)
        })
        .await
    }

    /// A broker without leader election, so that it does not wait for the Lease of one that was killed.
    pub(crate) async fn broker(&self, log: &str) -> Broker {
        self.broker_with(log, &["--leader-elect=false"]).await
    }

    pub(crate) async fn broker_with(&self, log: &str, args: &[&str]) -> Broker {
        let broker = self.start(log, args).await;
        eventually_within(SHORT, "the broker leads", || async {
            ensure!(
                broker.controller.leads().await,
                "log: {}",
                broker.controller.log()
            );
            Ok(())
        })
        .await;
        broker
    }

    pub(crate) async fn start(&self, log: &str, args: &[&str]) -> Broker {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("claim-broker-{}", std::process::id()));
        let certificates = folder.join("tls");
        if !certificates.exists() {
            tls::write(&certificates, &[NAME, "idp-webapp"]);
        }
        let log = folder.join(format!("{log}.log"));
        let kubeconfig = self.test.controller_kubeconfig(NAME).await.expect("an identity");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut all = self.way.arguments();
        all.push(format!("--grpc-address=127.0.0.1:{port}"));
        all.push(format!("--tls-dir={}", certificates.join(NAME).display()));
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let controller = Controller::start(
            Path::new(env!("CARGO_BIN_EXE_idp-claim-broker")),
            &kubeconfig,
            &log,
            &all,
        );
        Broker {
            controller: controller.expect("the broker starts"),
            grpc: port,
            certificates,
        }
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::from_now(&self.test.cluster.audit_log()).expect("the audit log")
    }

    /// Deletes the objects of a test. Claims need the purge annotation, because the admission policy protects them.
    pub(crate) async fn clean(&self, namespace: &str) {
        let claims = self.claims(namespace);
        self.bindings(namespace)
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await
            .expect("deleted");
        for claim in claims.list(&ListParams::default()).await.expect("a list") {
            self.destroy(namespace, &claim.name_any()).await;
        }
        let _ = self
            .classes()
            .delete(&format!("pg-{namespace}"), &DeleteParams::default())
            .await;
        let _ = self.test.delete_namespace(namespace).await;
    }

    /// Purges a claim, as an operator with the permission would in an emergency.
    pub(crate) async fn destroy(&self, namespace: &str, name: &str) {
        let claims = self.claims(namespace);
        let patch = json!({ "metadata": { "annotations": { "idp.dev/purge": name } } });
        // Crossplane writes too, and the API server rejects a patch after a few conflicts.
        eventually_within(SHORT, "the claim is purged", || async {
            let patched = claims
                .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await;
            gone_or(patched)?;
            gone_or(claims.delete(name, &DeleteParams::default()).await)
        })
        .await;
    }

    pub(crate) async fn claim_names(&self, namespace: &str) -> Vec<String> {
        let claims = self
            .claims(namespace)
            .list(&ListParams::default())
            .await
            .expect("a list");
        claims.iter().map(ResourceExt::name_any).collect()
    }
}

/// Ignores the error that the object does not exist any more.
fn gone_or<T>(outcome: kube::Result<T>) -> kube::Result<()> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(|_| ()),
    }
}

/// A broker process.
pub(crate) struct Broker {
    pub(crate) controller: Controller,
    pub(crate) grpc: u16,
    pub(crate) certificates: PathBuf,
}

/// A binding as the webapp controller writes it, for a database of an application.
pub(crate) fn binding(namespace: &str, class: &str, application: &str, name: &str) -> ClaimBinding {
    let full = format!("{application}-{name}");
    let mut binding = ClaimBinding::new(
        &full,
        ClaimBindingSpec {
            application: application.into(),
            name: name.into(),
            path: "spec.databases[0]".into(),
            engine: "postgres".into(),
            class: class.into(),
            version: Some("16".into()),
            size: Some("small".into()),
            secret: Some(class_template::secret_name(&full)),
            ..ClaimBindingSpec::default()
        },
    );
    binding.metadata.namespace = Some(namespace.into());
    binding
}

pub(crate) fn condition<'a>(status: &'a ClaimBindingStatus, type_: &str) -> Option<&'a idp_core::Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

pub(crate) fn is_ready(status: &ClaimBindingStatus) -> bool {
    condition(status, READY).is_some_and(idp_core::Condition::is_true)
}

pub(crate) fn problem(status: &ClaimBindingStatus, reason: Reason) -> Option<&Problem> {
    status.problems.iter().find(|problem| problem.reason == reason)
}

/// The broker's requests, without leader election, (re)starts of watches, and lookups of kinds that are not served.
pub(crate) fn work(requests: &[Request]) -> Vec<&Request> {
    let counts = |request: &&Request| {
        request.user.ends_with(NAME)
            && request.resource != "leases"
            && request.verb != "watch"
            && request.code != 404
    };
    requests.iter().filter(counts).collect()
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple::<Value>(text)
        .unwrap_or_else(|error| panic!("{error}"))
        .into_iter()
        .filter(|value| !value.is_null())
        .collect()
}

fn merge(base: &mut Value, changes: Value) {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    base.remove(&name);
                } else {
                    merge(base.entry(name).or_insert(Value::Null), change);
                }
            }
        }
        (base, change) => *base = change,
    }
}

/// A value in the message of a failed test.
pub(crate) fn shown(value: &impl Debug) -> String {
    format!("{value:#?}")
}

pub(crate) fn err<T>(result: Result<T, kube::Error>) -> String {
    match result {
        Ok(_) => panic!("the request was not rejected"),
        Err(error) => error.to_string(),
    }
}
