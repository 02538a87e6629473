//! What the cluster tests share: a cluster with Crossplane, a cloud that is not there, and brokers.

#![allow(dead_code, reason = "each generation's tests use most of it")]

pub(crate) mod cloud;
pub(crate) mod offers;
pub(crate) mod tls;

use std::{
    fmt::Debug,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use idp_api::{ClaimBinding, ClaimBindingSpec, ClaimBindingStatus, ClaimClass, claim_binding::ClaimPhase};
use idp_claim_broker::{NAME, class_template, kinds};
use idp_core::{Kind, Problem, Reason, condition::READY};
use idp_testkit::{
    Controller, TestCluster,
    audit::{Audit, Request},
    eventually_within, root,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// For whatever many claims do together, on two busy cores.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// For one claim.
pub(crate) const SHORT: Duration = Duration::from_secs(120);
/// The kind that the tests claim.
pub(crate) const POSTGRES: Kind = kinds::CLAIMS[0];

/// The cluster, for one test at a time: they stop Crossplane, kill brokers and count requests.
pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    /// Whether composed resources live in namespaces: Crossplane 2.
    second: bool,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::const_new(());

impl Lab {
    /// The generation that this target is for.
    pub(crate) async fn here() -> Self {
        if crate::IS_SECOND {
            Self::second().await
        } else {
            Self::first().await
        }
    }

    /// Crossplane 1.20.
    pub(crate) async fn first() -> Self {
        let alone = ALONE.lock().await;
        let test = TestCluster::peers().await.expect("the cluster starts");
        Self::enter(test, false, alone).await
    }

    /// Crossplane 2.
    pub(crate) async fn second() -> Self {
        let alone = ALONE.lock().await;
        let test = TestCluster::peers2().await.expect("the cluster starts");
        Self::enter(test, true, alone).await
    }

    async fn enter(test: TestCluster, second: bool, alone: MutexGuard<'static, ()>) -> Self {
        let lab = Self {
            test,
            second,
            _alone: alone,
        };
        for object in cloud::definitions(second) {
            lab.apply(object).await;
        }
        let generation = if second { "crossplane-2" } else { "crossplane-1" };
        lab.apply_files(&format!("platform/compositions/{generation}/definitions"))
            .await;
        lab.apply_files("platform/admission/claims.yaml").await;
        lab.apply(composition(second)).await;
        for kind in kinds::CLAIMS {
            let api = Api::<DynamicObject>::all_with(lab.client(), &kind.api_resource());
            eventually_within(SHORT, "the kinds are served", || async {
                api.list(&ListParams::default().limit(1)).await
            })
            .await;
        }
        cloud::start(lab.test.cluster.kubeconfig_file().expect("an embedded cluster"));
        lab
    }

    pub(crate) fn client(&self) -> Client {
        self.test.client.clone()
    }

    pub(crate) async fn apply(&self, object: Value) {
        eventually_within(SHORT, "applied", || self.test.apply(object.clone())).await;
    }

    /// Applies a file of the repository, or all of a folder.
    pub(crate) async fn apply_files(&self, path: &str) {
        let path = root().join(path);
        let mut files: Vec<PathBuf> = if path.is_dir() {
            std::fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect()
        } else {
            vec![path]
        };
        files.sort();
        for file in files {
            for object in documents(&file) {
                self.apply(object).await;
            }
        }
    }

    /// A class of the namespace's own, `pg-NAMESPACE`, with `changes` merged into its spec.
    pub(crate) async fn class(&self, namespace: &str, changes: Value) -> String {
        let name = format!("pg-{namespace}");
        let mut spec = json!({
            "engine": "postgres",
            "resource": {
                "type": if self.second { "Composite" } else { "Claim" },
                "apiVersion": POSTGRES.api_version(), "kind": POSTGRES.kind,
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
        Api::namespaced_with(self.client(), namespace, &POSTGRES.api_resource())
    }

    /// What the webapp controller would create.
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

    /// Waits until the status of a binding is as wanted, and is of its present spec.
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

    /// A broker that may start anew at once: it does not wait for the Lease of one that was killed.
    pub(crate) async fn broker(&self, log: &str) -> Broker {
        self.broker_with(log, &["--leader-elect=false"]).await
    }

    pub(crate) async fn broker_with(&self, log: &str, args: &[&str]) -> Broker {
        let broker = self.start(log, args).await;
        eventually_within(SHORT, "the broker works", || async {
            ensure!(
                broker.controller.leads().await,
                "its log: {}",
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
        let (grpc, tls, composed) = (
            format!("--grpc-address=127.0.0.1:{port}"),
            format!("--tls-dir={}", certificates.join(NAME).display()),
            cloud::kind_argument(self.second),
        );
        let mut all = vec![grpc.as_str(), tls.as_str(), composed.as_str()];
        all.extend(args);
        let controller = Controller::start(
            Path::new(env!("CARGO_BIN_EXE_idp-claim-broker")),
            &kubeconfig,
            &log,
            &all,
        );
        Broker {
            controller: controller.expect("it starts"),
            grpc: port,
            certificates,
        }
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::from_now(&self.test.cluster.audit_log()).expect("the audit log")
    }

    /// Ends what a test leaves: the policy lets nothing go that does not say so itself.
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

    /// Deletes a claim by the emergency door, as an operator with the right to purge would.
    pub(crate) async fn destroy(&self, namespace: &str, name: &str) {
        let claims = self.claims(namespace);
        let patch = json!({ "metadata": { "annotations": { "idp.dev/purge": name } } });
        // Crossplane writes too, and the API server gives up a patch after a few conflicts.
        eventually_within(SHORT, "the claim may go", || async {
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

/// Whether it went well, or concerned something that is gone already.
fn gone_or<T>(outcome: kube::Result<T>) -> kube::Result<()> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(|_| ()),
    }
}

/// A broker's process.
pub(crate) struct Broker {
    pub(crate) controller: Controller,
    pub(crate) grpc: u16,
    pub(crate) certificates: PathBuf,
}

/// A binding as the webapp controller writes it: database `orders` of the application `shop`.
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

/// Requests other than those of leader election and the (re)starts of watches, and looking for kinds that are not there.
pub(crate) fn work(requests: &[Request]) -> Vec<&Request> {
    let counts = |request: &&Request| {
        request.user.ends_with(NAME)
            && request.resource != "leases"
            && request.verb != "watch"
            && request.code != 404
    };
    requests.iter().filter(counts).collect()
}

pub(crate) fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    idp_testkit_documents(&text)
}

fn idp_testkit_documents(text: &str) -> Vec<Value> {
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

/// Composes a machine, and the connection Secret as each generation does.
fn composition(second: bool) -> Value {
    let mut machine = cloud::machine();
    let metadata = json!({ "name": "test-postgres", "labels": { "provider": "test" } });
    if !second {
        machine["connectionDetails"] = json!([
            { "name": "host", "fromFieldPath": "status.address" },
            { "name": "port", "type": "FromValue", "value": "5432" },
        ]);
        return json!({
            "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition", "metadata": metadata,
            "spec": {
                "compositeTypeRef": { "apiVersion": "platform.idp.dev/v1alpha1", "kind": "XPostgresInstance" },
                "mode": "Resources",
                "resources": [machine],
                "writeConnectionSecretsToNamespace": "crossplane-system",
            },
        });
    }
    let secret = json!({
        "name": "connection",
        "base": { "apiVersion": "v1", "kind": "Secret", "stringData": { "port": "5432" } },
        "readinessChecks": [{ "type": "None" }],
        "patches": [
            { "type": "FromCompositeFieldPath", "fromFieldPath": "spec.parameters.connectionSecret", "toFieldPath": "metadata.name",
              "policy": { "fromFieldPath": "Required" } },
            { "type": "FromCompositeFieldPath", "fromFieldPath": "status.address", "toFieldPath": "stringData.host",
              "policy": { "fromFieldPath": "Required" } },
            { "type": "ToCompositeFieldPath", "fromFieldPath": "metadata.resourceVersion", "toFieldPath": "status.connection.version" },
        ],
    });
    json!({
        "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition", "metadata": metadata,
        "spec": {
            "compositeTypeRef": { "apiVersion": "platform.idp.dev/v1alpha1", "kind": "PostgresInstance" },
            "mode": "Pipeline",
            "pipeline": [{
                "step": "resources",
                "functionRef": { "name": "function-patch-and-transform" },
                "input": { "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": [machine, secret] },
            }],
        },
    })
}

/// For messages of failed tests.
pub(crate) fn shown(value: &impl Debug) -> String {
    format!("{value:#?}")
}

pub(crate) fn err<T>(result: Result<T, kube::Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}
