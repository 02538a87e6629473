//! What an application costs at one size of the cluster: arriving, changing, and after a restart.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use idp_api::WebApplication;
use idp_testkit::Controller;
use idp_webapp::kinds::DEPLOYMENT;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, WatchEvent, WatchParams},
};
use serde_json::json;

use super::{
    lab::{Lab, applications, counted, cpu_seconds, latencies, stop, total},
    numbers::{Rounds, each, mebibytes, number},
    share::{crowd, milliseconds},
};

/// Applications that arrive at once in a round.
const BATCH: usize = 40;
/// Applications that arrive one after another, or are changed, in a round; and the time between two.
const PACED: usize = 40;
const PACE: Duration = Duration::from_millis(250);
/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applications that a round adds.
pub(crate) const ADDED: usize = BATCH + PACED;

/// The figures of one size.
#[derive(Default)]
pub(crate) struct Size {
    /// Applications of the controller, at the beginning.
    pub(crate) applications: usize,
    arrival_cpu: Rounds,
    arrival_requests: Rounds,
    arrival_p50: Rounds,
    arrival_p99: Rounds,
    change_p50: Rounds,
    change_p99: Rounds,
    restart_cpu: Rounds,
    restart_requests: Rounds,
    restart_seconds: Rounds,
    memory: Rounds,
}

impl Size {
    pub(crate) fn at(applications: usize) -> Self {
        Self {
            applications,
            ..Self::default()
        }
    }

    /// One round, with `there` applications at its beginning. The controller is another one afterwards.
    pub(crate) async fn round(
        &mut self,
        lab: &Lab,
        controller: Controller,
        there: usize,
    ) -> Result<Controller> {
        let cpu = cpu_seconds(&controller)?;
        let batch = crowd(lab, BATCH).await?;
        let used = cpu_seconds(&controller)? - cpu;
        self.arrival_cpu.add(1e3 * used / number(BATCH));
        self.arrival_requests.add(each(total(&batch.requests), BATCH));
        let (namespace, apps, mut times) = paced(lab).await?;
        let (p50, p99) = milliseconds(&mut times);
        self.arrival_p50.add(p50);
        self.arrival_p99.add(p99);
        lab.ready(&namespace, apps.len()).await?;
        let (p50, p99) = milliseconds(&mut changed(lab, &namespace, &apps).await?);
        self.change_p50.add(p50);
        self.change_p99.add(p99);
        lab.settled().await?;
        self.memory.add(mebibytes(controller.resident_bytes()?));
        stop(controller).await?;
        self.restart(lab, there + ADDED).await
    }

    async fn restart(&mut self, lab: &Lab, applications: usize) -> Result<Controller> {
        let (audit, began) = (lab.audit()?, Instant::now());
        let controller = lab.controller().await?;
        self.restart_seconds.add(began.elapsed().as_secs_f64());
        // Nothing is to be written: it is done when it uses no more CPU.
        let mut used = cpu_seconds(&controller)?;
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = cpu_seconds(&controller)?;
            if now - used < 0.1 {
                break;
            }
            used = now;
        }
        self.restart_cpu.add(1e3 * used / number(applications));
        let requests = counted(&audit)?;
        let watches = requests.get("watches").copied().unwrap_or_default();
        self.restart_requests.add(number(total(&requests) + watches));
        Ok(controller)
    }

    /// Rows of the table, with how this size compares to a smaller one.
    pub(crate) fn rows(&self) -> Vec<(&'static str, &Rounds, usize)> {
        vec![
            ("CPU of an arrival, ms", &self.arrival_cpu, 1),
            ("requests of an arrival, up to Ready", &self.arrival_requests, 2),
            (
                "apply to last child, four a second, p50, ms",
                &self.arrival_p50,
                0,
            ),
            (
                "apply to last child, four a second, p99, ms",
                &self.arrival_p99,
                0,
            ),
            ("change to its child, four a second, p50, ms", &self.change_p50, 0),
            ("change to its child, four a second, p99, ms", &self.change_p99, 0),
            ("restart: until ready, s", &self.restart_seconds, 2),
            ("restart: CPU an application, ms", &self.restart_cpu, 2),
            ("restart: requests in all", &self.restart_requests, 0),
            ("resident memory, MiB", &self.memory, 0),
        ]
    }

    pub(crate) fn memory(&self) -> f64 {
        self.memory.median()
    }
}

/// Creates applications one after another: what a person who applies one waits for.
async fn paced(lab: &Lab) -> Result<(String, Vec<WebApplication>, Vec<Duration>)> {
    let namespace = lab.test.namespace("paced").await?;
    let apps = applications(&namespace, PACED);
    let (arrivals, keys) = lab.expect(&namespace, &apps).await?;
    let mut created = HashMap::new();
    for app in &apps {
        let (name, at) = lab.create_one(app).await?;
        created.insert(name, at);
        tokio::time::sleep(PACE).await;
    }
    let times = latencies(&created, &keys, &arrivals).await?;
    Ok((namespace, apps, times))
}

/// Changes applications one after another: the time from each change to that of its Deployment.
async fn changed(lab: &Lab, namespace: &str, apps: &[WebApplication]) -> Result<Vec<Duration>> {
    let deployments = Api::<Deployment>::namespaced(lab.test.client.clone(), namespace);
    let mut times = Vec::new();
    for app in apps {
        times.push(change(lab, &deployments, app).await?);
        tokio::time::sleep(PACE).await;
    }
    Ok(times)
}

async fn change(lab: &Lab, deployments: &Api<Deployment>, app: &WebApplication) -> Result<Duration> {
    let name = app.name_any();
    let known = deployments.get_metadata(&name).await?;
    let version = known.resource_version().context("no version")?;
    let only = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut events = std::pin::pin!(deployments.watch_metadata(&only, &version).await?);
    let namespace = app.namespace().context("namespaced")?;
    let patch = json!({ "spec": { "env": [{ "name": "MODE", "value": "changed" }] } });
    let began = Instant::now();
    lab.apps(&namespace)
        .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    let arrives = async {
        while let Some(event) = events.try_next().await? {
            if let WatchEvent::Modified(object) = event
                && object.metadata.generation > known.metadata.generation
            {
                return Ok(began.elapsed());
            }
        }
        bail!("the watch of {DEPLOYMENT} {name} ended")
    };
    tokio::time::timeout(PATIENCE, arrives)
        .await
        .with_context(|| format!("{DEPLOYMENT} {name} did not change"))?
}
