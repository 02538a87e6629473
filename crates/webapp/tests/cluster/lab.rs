//! The cluster, the controller, and a namespace for one test, with helpers.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{OnceLock, mpsc},
    time::Duration,
};

use futures::future::try_join_all;
use idp_api::{Environment, WebApplication, WebApplicationSpec};
use idp_cluster::Cluster;
use idp_core::{Kind, labels};
use idp_runtime::{LeaseLost, Options};
use idp_testkit::{NAMESPACE, TestCluster, compare::covers, eventually, eventually_within};
use idp_webapp::{controller::WebApplicationController, kinds, render::render};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DynamicObject, ListParams, PatchParams, PostParams, TypeMeta, ValidationDirective},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;

/// Kind and name of a child.
pub(crate) type Name = (&'static str, String);
/// The live children of an application.
pub(crate) type Children = BTreeMap<Name, DynamicObject>;

/// The namespace of one test.
pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    pub(crate) client: Client,
    pub(crate) ns: String,
    pub(crate) environment: Environment,
}

/// The cluster. The first call starts the controller in its own thread.
fn cluster() -> Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER
        .get_or_init(|| {
            let (send, receive) = mpsc::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(Box::pin(control(send)));
            });
            receive.recv().expect("the cluster starts")
        })
        .clone()
}

/// Runs the controller with its own, restricted identity.
async fn control(started: mpsc::Sender<Cluster>) {
    let test = TestCluster::shared().await.unwrap();
    let file = test.controller_kubeconfig(idp_webapp::NAME).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(file).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    let client = Client::try_from(config).unwrap();
    started.send(test.cluster.clone()).unwrap();
    let options = Options {
        leader_elect: true,
        lease_namespace: NAMESPACE.to_owned(),
        health_address: ([127, 0, 0, 1], 0).into(),
        max_concurrent_reconciles: 8,
        grpc: idp_runtime::grpc::GrpcArgs::default(),
    };
    loop {
        let run = idp_runtime::run_until(
            WebApplicationController::default(),
            client.clone(),
            options.clone(),
            pending(),
        );
        match Box::pin(run).await {
            // A busy machine can lose its Lease; in a cluster, the controller's process would restart.
            Err(error) if error.is::<LeaseLost>() => eprintln!("the controller lost its Lease"),
            ended => {
                eprintln!("the controller ended: {ended:?}");
                std::process::exit(101);
            }
        }
    }
}

/// For dry runs, which also reject unknown fields.
pub(crate) fn dry_run() -> PatchParams {
    PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("dry-run").force()
    }
}

/// The priority class that the local Environment allows. In production the platform team creates it.
async fn important(client: &Client) {
    let class = serde_json::json!({"metadata": {"name": "important"}, "value": 1000});
    let class: PriorityClass = serde_json::from_value(class).unwrap();
    match Api::all(client.clone())
        .create(&PostParams::default(), &class)
        .await
    {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{error}"),
    }
}

impl Lab {
    /// Creates a namespace. Its client belongs to the runtime of the calling test.
    pub(crate) async fn new(prefix: &str) -> Self {
        let cluster = tokio::task::block_in_place(cluster);
        let client = cluster.client().await.unwrap();
        let test = TestCluster {
            cluster,
            client: client.clone(),
        };
        important(&client).await;
        let ns = test.namespace(prefix).await.unwrap();
        let environments = Api::<Environment>::all(client.clone());
        let mut environments = environments.list(&ListParams::default()).await.unwrap();
        let environment = environments.items.remove(0);
        Self {
            test,
            client,
            ns,
            environment,
        }
    }

    /// Deletes the namespace.
    pub(crate) async fn end(self) {
        self.test.delete_namespace(&self.ns).await.unwrap();
    }

    pub(crate) fn apps(&self) -> Api<WebApplication> {
        Api::namespaced(self.client.clone(), &self.ns)
    }

    pub(crate) fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.ns, &kind.api_resource())
    }

    pub(crate) async fn create(&self, app: &WebApplication) {
        let created = self.apps().create(&PostParams::default(), app).await;
        created.unwrap_or_else(|error| panic!("{}: {error}", app.name_any()));
    }

    pub(crate) async fn get(&self, name: &str) -> WebApplication {
        self.apps().get(name).await.unwrap()
    }

    /// Replaces the spec.
    pub(crate) async fn write(&self, name: &str, spec: &WebApplicationSpec) {
        eventually(&format!("{name} is written"), || async {
            let mut app = self.apps().get(name).await?;
            app.spec = spec.clone();
            self.apps().replace(name, &PostParams::default(), &app).await
        })
        .await;
    }

    /// Every object of the application, except those that other controllers derive from its children.
    pub(crate) async fn children(&self, name: &str) -> kube::Result<Children> {
        let selector = ListParams::default().labels(&format!("{}={name}", labels::APPLICATION));
        let lists = kinds::CHILDREN.map(|kind| {
            let (objects, selector) = (self.objects(kind), selector.clone());
            async move { Ok::<_, kube::Error>((kind, objects.list(&selector).await?)) }
        });
        let mut children = Children::new();
        for (kind, list) in try_join_all(lists).await? {
            for mut object in list.items.into_iter().filter(not_anothers) {
                // Objects in a list lack their kind.
                object.types = Some(TypeMeta {
                    api_version: kind.api_version(),
                    kind: kind.kind.to_owned(),
                });
                children.insert((kind.kind, object.name_any()), object);
            }
        }
        Ok(children)
    }

    pub(crate) fn rendered(&self, name: &str, spec: &WebApplicationSpec) -> BTreeMap<Name, Value> {
        let mut app = WebApplication::new(name, spec.clone());
        app.metadata.namespace = Some(self.ns.clone());
        let plan = render(&app, &self.environment).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let children = plan.children.into_iter();
        children
            .map(|child| ((child.kind.kind, child.name), child.object))
            .collect()
    }

    /// Checks that the application's children are exactly those of `render`, with all fields.
    pub(crate) async fn check_rendered(
        &self,
        name: &str,
        spec: &WebApplicationSpec,
    ) -> Result<Children, String> {
        self.check_synced(name).await?;
        let live = self.children(name).await.map_err(|error| error.to_string())?;
        let rendered = self.rendered(name, spec);
        let (wanted, found): (Vec<_>, Vec<_>) = (rendered.keys().collect(), live.keys().collect());
        if wanted != found {
            let missing: Vec<_> = wanted.iter().filter(|name| !found.contains(name)).collect();
            let extra: Vec<_> = found.iter().filter(|name| !wanted.contains(name)).collect();
            return Err(format!("missing {missing:?}, not rendered {extra:?}"));
        }
        for (child, object) in &rendered {
            if live[child].metadata.deletion_timestamp.is_some() {
                return Err(format!("{child:?} is being deleted"));
            }
            // A Job is kept as it ran.
            if child.0 != kinds::JOB.kind {
                let actual = serde_json::to_value(&live[child]).unwrap();
                covers(object, &actual, &mut format!("{} {}", child.0, child.1))?;
            }
        }
        Ok(live)
    }

    /// Waits until [`Self::check_rendered`] succeeds.
    pub(crate) async fn as_rendered(&self, name: &str, spec: &WebApplicationSpec) -> Children {
        let what = format!("{name} in {} is as rendered", self.ns);
        eventually(&what, || self.check_rendered(name, spec)).await
    }

    async fn check_synced(&self, name: &str) -> Result<(), String> {
        let app = self.apps().get(name).await.map_err(|error| error.to_string())?;
        let status = app.status.clone().ok_or("no status")?;
        if status.observed_generation != app.metadata.generation {
            return Err("the status is of an older generation".to_owned());
        }
        match status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Synced")
        {
            Some(condition) if condition.status == "True" => Ok(()),
            _ => Err(format!("not Synced: {:?}", status.problems)),
        }
    }

    /// Waits until the application is Ready.
    pub(crate) async fn ready(&self, name: &str) -> WebApplication {
        let what = format!("{name} in {} is Ready", self.ns);
        eventually_within(Duration::from_secs(180), &what, || async {
            let app = self.apps().get(name).await.map_err(|error| error.to_string())?;
            let status = app.status.clone().unwrap_or_default();
            let ready = status
                .conditions
                .iter()
                .find(|condition| condition.type_ == "Ready");
            match ready {
                Some(ready)
                    if ready.status == "True" && status.observed_generation == app.metadata.generation =>
                {
                    Ok(app)
                }
                _ => Err(format!("{ready:?} {:?}", status.problems)),
            }
        })
        .await
    }

    /// Waits until the status of the current generation has a problem with this reason; returns its text with path
    /// and hint.
    pub(crate) async fn problem(&self, name: &str, reason: &str) -> String {
        let what = format!("{name} in {} has the problem {reason}", self.ns);
        eventually(&what, || async {
            let app = self.apps().get(name).await.map_err(|error| error.to_string())?;
            let status = app.status.clone().unwrap_or_default();
            if status.observed_generation != app.metadata.generation {
                return Err("the status is of an older generation".to_owned());
            }
            let found = status.problems.iter().find(|problem| problem.reason == reason);
            found
                .map(ToString::to_string)
                .ok_or_else(|| format!("{:?}", status.problems))
        })
        .await
    }

    /// Versions of the children, once no writer changes them any more.
    pub(crate) async fn quiet_versions(&self, name: &str) -> BTreeMap<Name, String> {
        eventually(&format!("the children of {name} are quiet"), || async {
            let before = self.versions(name).await?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let after = self.versions(name).await?;
            if before == after {
                Ok(after)
            } else {
                Err("they change".to_owned())
            }
        })
        .await
    }

    pub(crate) async fn versions(&self, name: &str) -> Result<BTreeMap<Name, String>, String> {
        let children = self.children(name).await.map_err(|error| error.to_string())?;
        let versions = children.into_iter();
        Ok(versions
            .map(|(name, object)| (name, object.resource_version().unwrap_or_default()))
            .collect())
    }
}

fn not_anothers(object: &DynamicObject) -> bool {
    let owners = object.owner_references();
    owners.is_empty() || owners.iter().any(|owner| owner.kind == "WebApplication")
}

/// Children without the fields that differ between objects with the same content, for full comparisons that detect
/// leftover fields.
pub(crate) fn contents(children: &Children) -> BTreeMap<Name, Value> {
    let content = |(name, object): (&Name, &DynamicObject)| {
        let mut value = serde_json::to_value(object).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("status");
        let metadata = fields["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("deployment.kubernetes.io/revision");
        }
        match name.0 {
            // Labels and selector contain its UID.
            "Job" => value = Value::Null,
            "Service" => {
                let spec = value["spec"].as_object_mut().unwrap();
                spec.retain(|key, _| !key.starts_with("clusterIP"));
            }
            _ => {}
        }
        (name.clone(), value)
    };
    children.iter().map(content).collect()
}
