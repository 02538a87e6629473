//! The real node: containerd, kubelet and kube-proxy, their configuration and start.

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

/// The sandbox image: made here, so that no pod needs a registry for its first container.
pub(crate) const PAUSE_IMAGE: &str = "localhost/idp-pause:1";

/// The node's name.
pub(crate) fn name(cluster: &str) -> String {
    format!("{cluster}-node")
}

/// What the node's programs need to know.
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
        // containerd fetches images, so it alone keeps the proxy settings.
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
