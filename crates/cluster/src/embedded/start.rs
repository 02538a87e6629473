//! Starting the processes of an embedded cluster, each as soon as its dependencies are ready.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node as KubeNode;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};

use crate::embedded::addresses::Ports;
use crate::embedded::control_plane::{ControlPlane, apiserver, controller_manager, etcd, scheduler};
use crate::embedded::node::images::{digest_of, load_into};
use crate::embedded::node::{
    self, Node, PAUSE_IMAGE, cgroup, containerd, kube_proxy, kubelet, network, sysctl,
};
use crate::embedded::state::{Folder, State};
use crate::embedded::{certs, kubeconfig, kwok};
use crate::image::archive::Image;
use crate::process::daemon::{Daemon, wait_ready};
use crate::process::identity::{Identity, stop};

/// How long a component may take to become ready. Cold disks and busy cores are slow.
const LIMIT: Duration = Duration::from_secs(90);

/// Paths of the built programs.
pub(crate) struct Programs {
    pub(crate) embedded: PathBuf,
    /// The folder with KWOK and its stages, if the cluster has fake nodes.
    pub(crate) kwok: Option<PathBuf>,
    /// The folder with the sandbox's program, if the cluster has a real node.
    pub(crate) pause: Option<PathBuf>,
}

/// An embedded cluster during its start.
pub(crate) struct Start<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) state: State,
    pub(crate) programs: Programs,
    /// When this start started the kubelet, if it did.
    pub(crate) kubelet_started: Option<Timestamp>,
}

impl Start<'_> {
    /// Starts the parts of the control plane that do not run, and waits until the API server is ready.
    pub(crate) async fn control_plane(&mut self) -> Result<kube::Client> {
        let node = node::name(&self.folder.name);
        certs::ensure(self.folder, self.state.index, &node)?;
        // A call for fake nodes does not remove a running real node.
        self.state.real_node =
            self.programs.pause.is_some() || (self.state.real_node && self.state.runs("kubelet"));
        let bind = if self.state.real_node {
            self.state.index.host_ip()
        } else {
            Ipv4Addr::LOCALHOST
        };
        self.choose_ports(bind).await?;
        self.state.program = Some(self.programs.embedded.clone());
        self.folder.save(&self.state)?;
        if self.state.real_node {
            sysctl::acquire(self.state.index).await?;
            network::ensure(self.state.index).await?;
            cgroup::create(&self.state.index.interface())?;
        }
        let folder = self.folder;
        let plane = self.plane(folder)?;
        plane.write_kubeconfigs()?;
        let (etcd, apiserver) = (etcd::daemon(&plane), apiserver::daemon(&plane)?);
        let ports = plane.ports;
        if self.state.real_node {
            let containerd = containerd::daemon(&Node { plane: &plane })?;
            self.ensure(&containerd)?; // early: it becomes ready in the background
        }
        let process = self.ensure(&etcd)?;
        wait_ready("etcd", &process, &folder.log("etcd"), LIMIT, || {
            listens(ports.etcd)
        })
        .await?;
        let process = self.ensure(&apiserver)?;
        let client = kubeconfig::client(Some(&folder.kubeconfig()), None).await?;
        wait_ready(
            &apiserver.name,
            &process,
            &folder.log(&apiserver.name),
            LIMIT,
            || is_ready(&client),
        )
        .await?;
        for daemon in [controller_manager::daemon(&plane), scheduler::daemon(&plane)] {
            self.ensure(&daemon)?;
        }
        Ok(client)
    }

    /// Starts the real node's programs. The node becomes ready in the background.
    pub(crate) async fn real_node(&mut self) -> Result<()> {
        let folder = self.folder;
        let plane = self.plane(folder)?;
        let node = Node { plane: &plane };
        let socket = containerd::socket(self.state.index);
        let process = self.ensure(&containerd::daemon(&node)?)?;
        wait_ready(
            "containerd",
            &process,
            &folder.log("containerd"),
            LIMIT,
            || async {
                tokio::net::UnixStream::connect(&socket).await.is_ok()
                    && digest_of(&socket, PAUSE_IMAGE).await.is_ok()
            },
        )
        .await?;
        if let Some(pause) = &self.programs.pause
            && digest_of(&socket, PAUSE_IMAGE).await?.is_none()
        {
            load_pause(&socket, pause)
                .await
                .context("loading the sandbox image")?;
        }
        let kubelet = kubelet::daemon(&node)?;
        if !self.state.runs(&kubelet.name) {
            self.kubelet_started = Some(Timestamp::now());
        }
        self.ensure(&kubelet)?;
        self.ensure(&kube_proxy::daemon(&node)?)?;
        Ok(())
    }

    /// Starts KWOK and creates its nodes.
    pub(crate) async fn fake_nodes(&mut self, client: &kube::Client, count: usize) -> Result<()> {
        if let Some(dir) = &self.programs.kwok {
            let daemon = kwok::daemon(&self.plane(self.folder)?, dir)?;
            self.ensure(&daemon)?;
        }
        kwok::ensure_nodes(client, count, self.state.real_node).await
    }

    /// Waits until the nodes are ready. Fails early if kubelet or KWOK ends.
    pub(crate) async fn nodes_ready(&self, client: &kube::Client, fake: usize) -> Result<()> {
        let nodes = Api::<KubeNode>::all(client.clone());
        let real = node::name(&self.folder.name);
        for (name, selector, count) in [
            (
                "kubelet",
                format!("kubernetes.io/hostname={real}"),
                usize::from(self.state.real_node),
            ),
            ("kwok", kwok::SELECTOR.to_owned(), fake),
        ] {
            let Some(recorded) = self.state.find(name) else {
                continue;
            };
            let params = ListParams::default().match_any().labels(&selector);
            wait_ready(name, &recorded.process, &self.folder.log(name), LIMIT, || async {
                let listed = nodes.list(&params).await;
                let ready =
                    |node: &&KubeNode| is_node_ready(node) && (name == "kwok" || self.is_current(node));
                listed.is_ok_and(|nodes| nodes.items.iter().filter(ready).count() >= count)
            })
            .await?;
        }
        Ok(())
    }

    /// Whether the node's status is from this start: etcd still has the status from before the last stop.
    fn is_current(&self, node: &KubeNode) -> bool {
        let Some(since) = self.kubelet_started else {
            return true;
        };
        let conditions = node
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        let mut beats = conditions.filter_map(|condition| condition.last_heartbeat_time.as_ref());
        // Heartbeats have whole seconds.
        beats.any(|beat| beat.0.as_second() >= since.as_second())
    }

    /// Keeps the ports of the last start while processes use them, else chooses new ones.
    async fn choose_ports(&mut self, bind: Ipv4Addr) -> Result<()> {
        let running: Vec<_> = self
            .state
            .processes
            .iter()
            .filter(|recorded| recorded.process.alive())
            .cloned()
            .collect();
        let server = self
            .state
            .ports
            .map(|ports| format!("https://{bind}:{}", ports.apiserver));
        let moved = running
            .iter()
            .any(|recorded| recorded.name == "kube-apiserver" && Some(&recorded.endpoint) != server.as_ref());
        if running.is_empty() || moved {
            // Another kind of node needs another address of the API server, so all its clients restart.
            let processes: Vec<_> = running
                .into_iter()
                .rev()
                .map(|recorded| recorded.process)
                .collect();
            stop(&processes, Duration::from_secs(5)).await;
            self.state.processes.clear();
            self.state.ports = Some(Ports::choose(self.state.index, bind)?);
        }
        Ok(())
    }

    fn plane<'f>(&self, folder: &'f Folder) -> Result<ControlPlane<'f>> {
        Ok(ControlPlane {
            folder,
            index: self.state.index,
            ports: self.state.ports.context("The cluster has no ports yet.")?,
            bind: if self.state.real_node {
                self.state.index.host_ip()
            } else {
                Ipv4Addr::LOCALHOST
            },
            program: self.programs.embedded.clone(),
        })
    }

    /// Starts a daemon unless it runs.
    fn ensure(&mut self, daemon: &Daemon) -> Result<Identity> {
        self.folder.ensure(&mut self.state, daemon, false)
    }
}

async fn load_pause(socket: &Path, dir: &Path) -> Result<()> {
    let program = std::fs::read(dir.join("pause"))?;
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("pause.tar");
    Image::of_program(PAUSE_IMAGE, "/pause", program).write_archive(&archive)?;
    load_into(socket, &archive).await.map(|_| ())
}

async fn listens(port: u16) -> bool {
    tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_ok()
}

/// Calls `/readyz` with the administrator's certificate, as anonymous requests are forbidden.
async fn is_ready(client: &kube::Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
    matches!(answer, Ok(Ok(text)) if text == "ok")
}

fn is_node_ready(node: &KubeNode) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
