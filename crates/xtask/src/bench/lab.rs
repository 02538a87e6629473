//! Where is measured: the cluster, the controller as a process, and applications by the hundred.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use futures::{StreamExt, TryStreamExt, stream};
use idp_api::{Environment, WebApplication};
use idp_core::{Child, Kind, condition::READY};
use idp_testkit::{Controller, TestCluster, audit::Audit, fixtures::typical};
use idp_webapp::NAME;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::arrivals::Arrivals;

/// Applications created at a time.
const CREATES: usize = 8;
/// How long pods and statuses may take after the last child.
const CALM: Duration = Duration::from_secs(600);
/// How long a controller asks for nothing that has nothing left to do.
const SETTLED: Duration = Duration::from_secs(5);
/// Ticks of the kernel's clock in a second, in `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// Children by application.
pub(crate) type Keys = HashMap<String, Vec<(Kind, String)>>;
/// Requests by what they are for.
pub(crate) type Requests = BTreeMap<&'static str, usize>;

/// The cluster, and what is started on it.
pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    program: PathBuf,
    kubeconfig: PathBuf,
    /// With the controller's identity: what it asks is authenticated, authorized and audited alike.
    pub(crate) bare: Client,
    pub(crate) environment: Environment,
    args: Vec<String>,
    log: PathBuf,
}

impl Lab {
    pub(crate) async fn new(
        root: &Path,
        test: TestCluster,
        program: PathBuf,
        args: Vec<String>,
    ) -> Result<Self> {
        let kubeconfig = test.controller_kubeconfig(NAME).await?;
        let file = Kubeconfig::read_from(&kubeconfig)?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let text = std::fs::read_to_string(root.join("platform/environments/local.yaml"))?;
        let mut environments: Vec<Environment> =
            idp_api::manifests::typed(&idp_api::manifests::parse(&text)?, "Environment")?;
        let log = test.cluster.dir().join("bench-controller.log");
        Ok(Self {
            test,
            program,
            kubeconfig,
            bare: Client::try_from(config)?,
            environment: environments.pop().context("no Environment")?,
            args,
            log,
        })
    }

    pub(crate) fn audit(&self) -> Result<Audit> {
        Audit::from_now(&self.test.cluster.audit_log())
    }

    pub(crate) fn apps(&self, namespace: &str) -> Api<WebApplication> {
        Api::namespaced(self.test.client.clone(), namespace)
    }

    /// The controller as a process, once it leads.
    pub(crate) async fn controller(&self) -> Result<Controller> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let _ = std::fs::remove_file(&self.log);
        let controller = Controller::start(&self.program, &self.kubeconfig, &self.log, &args)?;
        let start = Instant::now();
        while !controller.leads().await {
            if start.elapsed() > CALM {
                bail!("the controller does not lead: {}", controller.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(controller)
    }

    /// Creates applications as fast as that goes; when each was sent.
    pub(crate) async fn create(&self, apps: &[WebApplication]) -> Result<HashMap<String, Instant>> {
        stream::iter(apps)
            .map(|app| self.create_one(app))
            .buffer_unordered(CREATES)
            .try_collect()
            .await
    }

    /// Creates an application; its name, and when it was sent.
    pub(crate) async fn create_one(&self, app: &WebApplication) -> Result<(String, Instant)> {
        let at = Instant::now();
        let api = self.apps(&app.namespace().context("namespaced")?);
        api.create(&PostParams::default(), app).await?;
        Ok((app.name_any(), at))
    }

    /// Watches for all children of these applications.
    pub(crate) async fn expect(&self, namespace: &str, apps: &[WebApplication]) -> Result<(Arrivals, Keys)> {
        let mut children = Keys::new();
        for app in apps {
            children.insert(app.name_any(), keys(&self.render(std::slice::from_ref(app))?));
        }
        let kinds: BTreeSet<Kind> = flat(&children).into_iter().map(|(kind, _)| kind).collect();
        let arrivals = Arrivals::watch(&self.test.client, namespace, &kinds).await?;
        Ok((arrivals, children))
    }

    /// The children of these applications.
    pub(crate) fn render(&self, apps: &[WebApplication]) -> Result<Vec<Child>> {
        self.render_in(apps, &self.environment)
    }

    /// The same in another Environment.
    pub(crate) fn render_in(&self, apps: &[WebApplication], environment: &Environment) -> Result<Vec<Child>> {
        let mut children = Vec::new();
        for app in apps {
            let plan =
                idp_webapp::render::render(app, environment).map_err(|problems| anyhow!("{problems:?}"))?;
            children.extend(plan.children);
        }
        Ok(children)
    }

    /// Waits until Kubernetes itself has done its part: its work must not fall into the next measurement.
    pub(crate) async fn calm(&self, namespace: &str, count: usize) -> Result<()> {
        let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(self.test.client.clone(), namespace);
        let start = Instant::now();
        loop {
            let pods = pods.list(&ListParams::default()).await?;
            let phase = |pod: &&k8s_openapi::api::core::v1::Pod| pod.status.as_ref()?.phase.clone();
            let running = pods
                .iter()
                .filter(|pod| phase(pod).as_deref() == Some("Running"))
                .count();
            if running >= count {
                tokio::time::sleep(Duration::from_secs(3)).await;
                return Ok(());
            }
            if start.elapsed() > CALM {
                bail!("{running} of {count} pods run");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until all applications of a namespace are Ready.
    pub(crate) async fn ready(&self, namespace: &str, count: usize) -> Result<()> {
        let start = Instant::now();
        loop {
            let apps = self.apps(namespace).list(&ListParams::default()).await?;
            let ready = apps.iter().filter(|app| is_ready(app)).count();
            if ready == count {
                return Ok(());
            }
            if start.elapsed() > CALM {
                bail!("{ready} of {count} applications are ready");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the controller asks for nothing more.
    pub(crate) async fn settled(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let audit = self.audit()?;
            tokio::time::sleep(SETTLED).await;
            if total(&counted(&audit)?) == 0 {
                return Ok(());
            }
            if start.elapsed() > CALM {
                bail!("the controller does not come to rest");
            }
        }
    }
}

fn is_ready(app: &WebApplication) -> bool {
    let conditions = app.status.iter().flat_map(|status| &status.conditions);
    conditions
        .into_iter()
        .any(|condition| condition.type_ == READY && condition.is_true())
}

/// Requests since the audit began, by what they are for.
pub(crate) fn counted(audit: &Audit) -> Result<Requests> {
    let mut counts = Requests::new();
    for request in audit.requests()? {
        *counts
            .entry(purpose(&request.verb, &request.resource))
            .or_default() += 1;
    }
    Ok(counts)
}

fn purpose(verb: &str, resource: &str) -> &'static str {
    match (verb, resource) {
        ("patch", "webapplications/status") => "status",
        (_, "events") => "events",
        (_, "leases") => "leases",
        ("patch", _) => "children",
        ("watch", _) => "watches",
        ("list" | "get", _) => "reads",
        _ => "others",
    }
}

/// All but those that a process sends whatever there is to do.
pub(crate) fn total(requests: &Requests) -> usize {
    let standing = ["leases", "watches"];
    let work = requests
        .iter()
        .filter(|(purpose, _)| !standing.contains(*purpose));
    work.map(|(_, count)| count).sum()
}

/// Seconds of CPU that the controller has used so far.
pub(crate) fn cpu_seconds(controller: &Controller) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", controller.pid()))?;
    // The name of the program stands in parentheses, and may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("no such process")?;
    let ticks = |field: usize| rest.split_whitespace().nth(field)?.parse::<f64>().ok();
    // Fields 14 and 15 of proc_pid_stat(5): the third comes first here.
    let (user, system) = (ticks(11).context("utime")?, ticks(12).context("stime")?);
    Ok((user + system) / TICKS)
}

/// Asks a controller to end, and waits until it has.
pub(crate) async fn stop(controller: Controller) -> Result<()> {
    if !controller.stop().await? {
        bail!("the controller did not end well");
    }
    Ok(())
}

/// Typical applications.
pub(crate) fn applications(namespace: &str, count: usize) -> Vec<WebApplication> {
    let app = |number: usize| typical(namespace, &format!("app-{number}"));
    (0..count).map(app).collect()
}

/// What children are waited for by.
pub(crate) fn keys(children: &[Child]) -> Vec<(Kind, String)> {
    let key = |child: &Child| (child.kind, child.name.clone());
    children.iter().map(key).collect()
}

/// All children.
pub(crate) fn flat(keys: &Keys) -> Vec<(Kind, String)> {
    keys.values().flatten().cloned().collect()
}

/// The time from each create to the last child.
pub(crate) async fn latencies(
    created: &HashMap<String, Instant>,
    keys: &Keys,
    arrivals: &Arrivals,
) -> Result<Vec<Duration>> {
    let seen = arrivals.all(&flat(keys)).await?;
    let latency = |(name, children): (&String, &Vec<(Kind, String)>)| {
        let last = children.iter().filter_map(|key| seen.get(key)).max()?;
        Some(last.duration_since(*created.get(name)?))
    };
    Ok(keys.iter().filter_map(latency).collect())
}
