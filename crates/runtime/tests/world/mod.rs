//! A cluster with a running controller, whose writes are counted.

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use idp_runtime::{Options, run_until};
use idp_testkit::{TestCluster, eventually};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Client, Config, CustomResourceExt,
    api::{Api, Patch, PatchParams, PostParams},
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use tower::Service;

use crate::widget::{Widget, Widgets};

pub(crate) type Running = (oneshot::Sender<()>, JoinHandle<anyhow::Result<()>>);

/// The cluster and the controller.
pub(crate) struct World {
    pub(crate) admin: Client,
    config: Config,
    writes: Arc<Writes>,
    running: Option<Running>,
    pub(crate) electing: bool,
    run: String,
}

/// One namespace.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) widgets: Api<Widget>,
    pub(crate) maps: Api<ConfigMap>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter("info,idp_runtime=debug")
            .with_test_writer()
            .try_init();
        let file = match std::env::var_os("IDP_TEST_KUBECONFIG") {
            Some(path) => PathBuf::from(path),
            None => TestCluster::shared()
                .await
                .unwrap()
                .cluster
                .kubeconfig_file()
                .unwrap(),
        };
        let file = Kubeconfig::read_from(file).unwrap();
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .unwrap();
        let admin = Client::try_from(config.clone()).unwrap();
        let crds: Api<CustomResourceDefinition> = Api::all(admin.clone());
        let force = PatchParams::apply("tests").force();
        crds.patch("widgets.test.idp.dev", &force, &Patch::Apply(&Widget::crd()))
            .await
            .unwrap();
        kube::runtime::wait::await_condition(
            crds,
            "widgets.test.idp.dev",
            kube::runtime::wait::conditions::is_crd_established(),
        )
        .await
        .unwrap();
        let widgets: Api<Widget> = Api::all(admin.clone());
        let found = eventually("the kind is served", || async {
            widgets.list(&Default::default()).await
        })
        .await;
        for old in found {
            let api: Api<Widget> = Api::namespaced(admin.clone(), old.metadata.namespace.as_deref().unwrap());
            let name = old.metadata.name.unwrap();
            let free = json!({ "metadata": { "finalizers": null } });
            api.patch(&name, &PatchParams::default(), &Patch::Merge(&free))
                .await
                .unwrap();
            let _ = api.delete(&name, &Default::default()).await;
        }
        let run = format!("{:x}", std::process::id());
        Self {
            admin,
            config,
            writes: Arc::default(),
            running: None,
            electing: false,
            run,
        }
    }

    pub(crate) fn start(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let client = ClientBuilder::try_from(self.config.clone()).unwrap();
        let client = client.with_layer(&CountWrites(self.writes.clone())).build();
        let options = Options {
            leader_elect: self.electing,
            lease_namespace: "default".into(),
            health_address: "127.0.0.1:0".parse().unwrap(),
            max_concurrent_reconciles: 4,
            grpc: idp_runtime::grpc::GrpcArgs::default(),
        };
        let task = tokio::spawn(async move {
            run_until(Widgets, client, options, async {
                let _ = stopped.await;
            })
            .await
        });
        self.running = Some((stop, task));
    }

    pub(crate) fn take(&mut self) -> Running {
        self.running.take().unwrap()
    }

    pub(crate) async fn stop(&mut self) {
        Self::end(self.take()).await;
    }

    pub(crate) async fn end((stop, task): Running) {
        let _ = stop.send(());
        task.await.unwrap().unwrap();
    }

    /// Waits until the controller works.
    pub(crate) async fn ready(&self) {
        let place = self
            .namespace(&format!("ready{}", self.writes.count.load(Ordering::Relaxed)))
            .await;
        place.widget("probe", json!({})).await;
        place.until("probe", |widget| widget.status.is_some()).await;
        // Events are sent after the status.
        self.settle().await;
        self.writes
            .log
            .lock()
            .unwrap()
            .retain(|line| !line.contains(&place.name));
        self.writes
            .count
            .store(self.writes.log.lock().unwrap().len() as u64, Ordering::Relaxed);
    }

    /// Waits long enough for whatever was caused to have happened.
    pub(crate) async fn settle(&self) {
        loop {
            let before = self.requests();
            tokio::time::sleep(Duration::from_millis(1500)).await;
            if self.requests() == before {
                return;
            }
        }
    }

    /// Writes (and single reads) that the controller sent.
    pub(crate) fn requests(&self) -> u64 {
        self.writes.count.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.writes.log.lock().unwrap().clone()
    }

    pub(crate) async fn namespace(&self, name: &str) -> Place {
        let name = format!("{name}-{}", self.run);
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
        Api::all(self.admin.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        Place {
            widgets: Api::namespaced(self.admin.clone(), &name),
            maps: Api::namespaced(self.admin.clone(), &name),
            name,
        }
    }

    pub(crate) async fn annotate_namespace(&self, name: &str, note: &str) {
        let api: Api<Namespace> = Api::all(self.admin.clone());
        let patch = json!({ "metadata": { "annotations": { "test.idp.dev/note": note } } });
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
}

impl Place {
    /// Creates or changes a widget.
    pub(crate) async fn widget(&self, name: &str, spec: Value) {
        let mut widget = json!({ "apiVersion": "test.idp.dev/v1", "kind": "Widget", "metadata": { "name": name }, "spec": spec });
        if widget["spec"]["extra"].is_null() {
            widget["spec"].as_object_mut().unwrap().remove("extra");
        }
        let user = PatchParams::apply("user").force();
        self.widgets
            .patch(name, &user, &Patch::Apply(&widget))
            .await
            .unwrap();
    }

    pub(crate) async fn touch(&self, name: &str) {
        let patch = json!({ "metadata": { "annotations": { "touched": "again" } } });
        self.widgets
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }

    pub(crate) async fn until(&self, name: &str, holds: impl Fn(&Widget) -> bool) -> Widget {
        for _ in 0..1200 {
            let widget = self.widgets.get(name).await.unwrap();
            if holds(&widget) {
                return widget;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never happened: {:#?}", self.widgets.get(name).await.unwrap());
    }

    pub(crate) async fn until_map(&self, name: &str, holds: impl Fn(&ConfigMap) -> bool) {
        for _ in 0..1200 {
            if self
                .maps
                .get_opt(name)
                .await
                .unwrap()
                .is_some_and(|map| holds(&map))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never happened: {:#?}", self.maps.get_opt(name).await.unwrap());
    }
}

#[derive(Default)]
struct Writes {
    count: AtomicU64,
    log: Mutex<Vec<String>>,
}

struct CountWrites(Arc<Writes>);

struct Counted<S>(S, Arc<Writes>);

impl<S> tower::Layer<S> for CountWrites {
    type Service = Counted<S>;
    fn layer(&self, inner: S) -> Counted<S> {
        Counted(inner, self.0.clone())
    }
}

impl<S, B> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // Lists and watches are what stays when all is quiet; the Lease is the elector's.
        let is_list = request.method() == http::Method::GET
            && request.uri().query().is_some_and(|query| !query.is_empty());
        if !is_list && !request.uri().path().contains("/leases") {
            self.1
                .log
                .lock()
                .unwrap()
                .push(format!("{} {}", request.method(), request.uri().path()));
            self.1.count.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(self.0.call(request))
    }
}
