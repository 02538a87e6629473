//! Shared helpers: the cluster, its controllers, and comparison of objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use idp_api::{Environment, WebApplication};
use idp_core::{Kind, condition::READY};
use idp_testkit::{
    Controller, TestCluster,
    audit::{Audit, Request},
    eventually_within,
    stub::Stub,
};
use idp_webapp::{NAME, kinds};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams},
};
use tokio::sync::{Mutex, MutexGuard};

/// Limit for work of many applications, on two busy cores.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// How long a controller without work sends no requests.
pub(crate) const SETTLING: Duration = Duration::from_secs(10);

/// The cluster, for one test at a time.
pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    pub(crate) async fn enter() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let test = TestCluster::alone().await.expect("the cluster starts");
        Self { test, _alone: alone }
    }

    pub(crate) fn client(&self) -> Client {
        self.test.client.clone()
    }

    /// Starts a controller process; `log` is the name of its log.
    pub(crate) async fn controller(&self, log: &str) -> Controller {
        self.start(log, &[]).await
    }

    async fn start(&self, log: &str, args: &[&str]) -> Controller {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{log}-{}.log", std::process::id()));
        let kubeconfig = self.test.controller_kubeconfig(NAME).await.expect("an identity");
        let program = Path::new(env!("CARGO_BIN_EXE_idp-webapp"));
        Controller::start(program, &kubeconfig, &log, args).expect("the controller starts")
    }

    /// Starts a controller process and waits until it leads, with complete caches.
    pub(crate) async fn leader(&self, log: &str) -> Controller {
        let controller = self.controller(log).await;
        leads(&controller, Duration::from_secs(60)).await;
        controller
    }

    /// The same, with capabilities.
    pub(crate) async fn leader_beside(&self, log: &str, stubs: &[Stub]) -> Controller {
        let certificates =
            idp_cluster::controller_certificates(&self.test.cluster, NAME).expect("certificates");
        let mut args = vec![format!("--tls-dir={}", certificates.display())];
        args.extend(stubs.iter().map(|stub| format!("--capability={}", stub.peer())));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let controller = self.start(log, &args).await;
        leads(&controller, Duration::from_secs(60)).await;
        controller
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::from_now(&self.test.cluster.audit_log()).expect("the audit log")
    }

    pub(crate) fn apps(&self, namespace: &str) -> Api<WebApplication> {
        Api::namespaced(self.client(), namespace)
    }

    /// Creates applications, a few at a time.
    pub(crate) async fn create(&self, apps: Vec<WebApplication>) {
        stream::iter(apps)
            .map(|app| async move {
                let namespace = app.namespace().expect("namespaced");
                self.apps(&namespace)
                    .create(&PostParams::default(), &app)
                    .await
                    .map(|_| ())
            })
            .buffer_unordered(8)
            .try_collect::<()>()
            .await
            .expect("the applications are valid");
    }

    /// Waits until every application of a namespace is Ready.
    pub(crate) async fn all_ready(&self, namespace: &str, count: usize) {
        eventually_within(LONG, "all applications are ready", || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let apps = self.apps(namespace).list(&ListParams::default()).await?;
            let waiting: Vec<_> = apps.iter().filter(|app| !is_ready(app)).collect();
            ensure!(apps.items.len() == count, "{} applications", apps.items.len());
            match waiting.first() {
                None => Ok(()),
                Some(app) => Err(anyhow!(
                    "{} of {count} are not: {}: {}",
                    waiting.len(),
                    app.name_any(),
                    why(app)
                )),
            }
        })
        .await;
    }

    /// Waits until the controller has sent no requests for a while; then no work is left.
    pub(crate) async fn settled(&self) {
        let began = std::time::Instant::now();
        loop {
            let audit = self.audit();
            tokio::time::sleep(SETTLING).await;
            let requests = audit.requests().expect("readable");
            if work(&requests).is_empty() {
                return;
            }
            assert!(
                began.elapsed() < LONG,
                "never quiet: {:?}",
                work(&requests).last()
            );
        }
    }

    /// The events about the applications of a namespace.
    pub(crate) async fn events(&self, namespace: &str) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client(), namespace);
        let about = ListParams::default().fields("involvedObject.kind=WebApplication");
        events.list(&about).await.expect("events").items
    }

    /// Every object of the applications in a namespace, including the applications.
    pub(crate) async fn objects(&self, namespace: &str) -> Result<BTreeMap<(Kind, String), DynamicObject>> {
        let mut all = BTreeMap::new();
        for kind in kinds::CHILDREN.into_iter().chain([APPLICATION]) {
            let mut params = ListParams::default();
            if kind != APPLICATION {
                params = params.labels(idp_core::labels::APPLICATION);
            }
            for object in dynamic(&self.client(), kind, namespace).list(&params).await? {
                all.insert((kind, object.name_any()), object);
            }
        }
        Ok(all)
    }

    /// Deletes the namespace and waits until its applications are gone, so that the next test is alone.
    pub(crate) async fn clean(&self, namespace: &str) {
        let everything = kube::api::DeleteParams::default();
        let apps = self.apps(namespace);
        apps.delete_collection(&everything, &ListParams::default())
            .await
            .expect("deleted");
        self.test.delete_namespace(namespace).await.expect("deleted");
    }
}

/// The reconciled kind.
pub(crate) const APPLICATION: Kind =
    Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");

/// Waits until a controller leads.
pub(crate) async fn leads(controller: &Controller, limit: Duration) {
    eventually_within(limit, "the controller leads", || async {
        ensure!(controller.leads().await, "its log: {}", controller.log());
        Ok(())
    })
    .await;
}

pub(crate) fn is_ready(app: &WebApplication) -> bool {
    let Some(status) = &app.status else { return false };
    status.observed_generation == app.metadata.generation
        && status
            .conditions
            .iter()
            .any(|condition| condition.type_ == READY && condition.is_true())
}

/// The message of the Ready condition, for failed assertions.
pub(crate) fn why(app: &WebApplication) -> String {
    let conditions = app.status.iter().flat_map(|status| &status.conditions);
    conditions
        .filter(|condition| condition.type_ == READY)
        .map(|condition| condition.message.clone())
        .collect()
}

/// Requests other than those of leader election and the (re)starts of watches.
pub(crate) fn work(requests: &[Request]) -> Vec<&Request> {
    requests
        .iter()
        .filter(|request| request.resource != "leases" && request.verb != "watch")
        .collect()
}

pub(crate) fn dynamic(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    Api::namespaced_with(
        client.clone(),
        namespace,
        &ApiResource::from_gvk_with_plural(&gvk, kind.plural),
    )
}

/// The Environment that the cluster has.
pub(crate) fn environment() -> Environment {
    let file = idp_testkit::root().join("platform/environments/local.yaml");
    let documents =
        idp_api::manifests::parse(&std::fs::read_to_string(file).expect("it exists")).expect("YAML");
    idp_api::manifests::typed(&documents, "Environment")
        .expect("valid")
        .remove(0)
}

/// Kinds and names of the children that `render` gives for `apps`.
pub(crate) fn rendered(apps: &[WebApplication]) -> BTreeSet<(Kind, String)> {
    let environment = environment();
    apps.iter()
        .flat_map(|app| {
            idp_webapp::render::render(app, &environment)
                .expect("valid")
                .children
        })
        .map(|child| (child.kind, child.name))
        .collect()
}
