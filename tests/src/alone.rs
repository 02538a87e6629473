//! The cluster `outages`, for one test at a time, with our controllers as separate processes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::ensure;
use idp_testkit::{Controller, TestCluster, audit::Audit, eventually_within, program};
use idp_webapp::NAME as WEBAPP;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Lab, beside};

/// Name of the secrets bridge.
pub const BRIDGE: &str = idp_secrets_bridge::NAME;
/// Time until the Lease of a killed controller expires and the caches are complete.
const LEADS: Duration = Duration::from_secs(90);

/// Exclusive use of the cluster.
pub struct Alone {
    /// The cluster.
    pub test: TestCluster,
    logs: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Alone {
    /// Waits for earlier tests; `logs` is the folder of the controllers' logs.
    pub async fn enter(logs: &str) -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let test = TestCluster::outages().await.unwrap();
        beside::secret_store(&test).await;
        Self {
            test,
            logs: Path::new(logs).to_owned(),
            _alone: alone,
        }
    }

    /// A new namespace of it.
    pub async fn lab(&self, prefix: &str) -> Lab {
        self.within(self.test.namespace(prefix).await.unwrap())
    }

    /// The namespace of an earlier lab, created again, for objects whose names or contents depend on its name.
    pub async fn lab_again(&self, namespace: &str) -> Lab {
        self.test.namespace_named(namespace).await.unwrap();
        self.within(namespace.to_owned())
    }

    fn within(&self, ns: String) -> Lab {
        Lab {
            test: TestCluster {
                cluster: self.test.cluster.clone(),
                client: self.test.client.clone(),
            },
            client: self.test.client.clone(),
            ns,
            addresses: BTreeMap::new(),
        }
    }

    /// Requests to the API server from now on.
    pub fn audit(&self) -> Audit {
        Audit::from_now(&self.test.cluster.audit_log()).unwrap()
    }

    /// Both controllers, leading. `args` are for both.
    pub async fn pair(&self, args: &[&str]) -> Pair {
        let port = beside::free_address().port();
        let mut pair = Pair {
            bridge: self.bridge(port, args).await,
            webapp: self.webapp(port, args).await,
            port,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        pair.lead().await;
        pair
    }

    /// Kills the bridge, and starts it again at the same address; it leads when this returns.
    pub async fn crash_bridge(&self, mut pair: Pair) -> Pair {
        pair.bridge.kill().unwrap();
        let args: Vec<&str> = pair.args.iter().map(String::as_str).collect();
        pair.bridge = self.bridge(pair.port, &args).await;
        leads(&pair.bridge).await;
        pair
    }

    async fn bridge(&self, port: u16, args: &[&str]) -> Controller {
        self.start(
            BRIDGE,
            &[&[format!("--grpc-address=127.0.0.1:{port}")], &owned(args)[..]].concat(),
        )
        .await
    }

    async fn webapp(&self, port: u16, args: &[&str]) -> Controller {
        let capability = format!("--capability=secrets={BRIDGE}@127.0.0.1:{port}");
        self.start(WEBAPP, &[&[capability], &owned(args)[..]].concat())
            .await
    }

    async fn start(&self, name: &str, args: &[String]) -> Controller {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let log = self
            .logs
            .join(format!("{name}-{}-{number}.log", std::process::id()));
        let kubeconfig = self.test.controller_kubeconfig(name).await.unwrap();
        let certificates = idp_cluster::controller_certificates(&self.test.cluster, name).unwrap();
        let tls = format!("--tls-dir={}", certificates.display());
        let mut all = vec![tls.as_str()];
        all.extend(args.iter().map(String::as_str));
        Controller::start(&program(name), &kubeconfig, &log, &all).unwrap()
    }
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// Both controllers as processes.
pub struct Pair {
    /// The secrets bridge.
    pub bridge: Controller,
    /// The WebApplication controller.
    pub webapp: Controller,
    port: u16,
    args: Vec<String>,
}

impl Pair {
    async fn lead(&mut self) {
        leads(&self.bridge).await;
        leads(&self.webapp).await;
    }

    /// Stops both, so that they release their Leases.
    pub async fn stop(self) {
        assert!(self.webapp.stop().await.unwrap(), "the exit code is 0");
        assert!(self.bridge.stop().await.unwrap(), "the exit code is 0");
    }
}

async fn leads(controller: &Controller) {
    eventually_within(LEADS, "the controller leads", || async {
        ensure!(controller.leads().await, "log: {}", controller.log());
        Ok(())
    })
    .await;
}
