//! The real node: containerd, kubelet and kube-proxy, and everything on the machine that they need.

pub(crate) mod cgroup;
pub(crate) mod cleanup;
pub(crate) mod containerd;
pub(crate) mod images;
pub(crate) mod kube_proxy;
pub(crate) mod kubelet;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod packages;
pub(crate) mod pods;
pub(crate) mod sysctl;

use std::path::PathBuf;

use crate::embedded::addresses::Index;
use crate::embedded::control_plane::ControlPlane;
use crate::process::daemon::Daemon;
use crate::process::go;

/// The sandbox image. It is built locally, so that pods need no registry for their sandbox.
pub(crate) const PAUSE_IMAGE: &str = "localhost/idp-pause:1";

/// The node's name.
pub(crate) fn name(cluster: &str) -> String {
    format!("{cluster}-node")
}

/// The inputs of the node's configuration.
pub(crate) struct Node<'a> {
    pub(crate) plane: &'a ControlPlane<'a>,
}

impl Node<'_> {
    fn index(&self) -> Index {
        self.plane.index
    }

    fn state(&self, name: &str) -> PathBuf {
        self.plane.folder.path.join(name)
    }

    fn daemon(&self, name: &'static str, program: PathBuf, args: Vec<String>, endpoint: String) -> Daemon {
        // Only containerd needs the proxy settings: it pulls images.
        let uses_proxy = name == "containerd";
        Daemon {
            name: name.to_owned(),
            program,
            args,
            env: go::variables(),
            netns: Some(network::netns(self.index())),
            uses_proxy,
            endpoint,
            health: None,
        }
    }
}
