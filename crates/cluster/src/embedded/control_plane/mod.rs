//! etcd, API server, controller manager and scheduler: their flags.

pub(crate) mod apiserver;
pub(crate) mod controller_manager;
pub(crate) mod etcd;
pub(crate) mod scheduler;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::embedded::addresses::{Index, Ports};
use crate::embedded::kubeconfig;
use crate::embedded::state::Folder;
use crate::process::daemon::Daemon;
use crate::process::go;

/// The inputs of the control plane's flags.
pub(crate) struct ControlPlane<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) index: Index,
    pub(crate) ports: Ports,
    /// The API server's address: on the link to the real node if there is one, else loopback.
    pub(crate) bind: Ipv4Addr,
    pub(crate) program: PathBuf,
}

impl ControlPlane<'_> {
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.bind, self.ports.apiserver)
    }

    /// Writes the kubeconfigs of the administrator and of the control plane's clients.
    pub(crate) fn write_kubeconfigs(&self) -> Result<()> {
        kubeconfig::write(self.folder, &self.folder.kubeconfig(), &self.server(), "admin")?;
        for name in ["controller-manager", "scheduler", "kubelet", "kube-proxy", "kwok"] {
            let path = self.kubeconfig_of(name);
            kubeconfig::write(self.folder, Path::new(&path), &self.server(), name)?;
        }
        Ok(())
    }

    pub(crate) fn kubeconfig_of(&self, name: &str) -> String {
        self.folder
            .path
            .join("config")
            .join(format!("{name}.kubeconfig"))
            .display()
            .to_string()
    }

    fn cert(&self, file: &str) -> String {
        self.folder.cert(file).display().to_string()
    }

    fn daemon(&self, name: &'static str, port: u16, address: Ipv4Addr, flags: Vec<String>) -> Daemon {
        let mut args = vec![name.to_owned()];
        args.extend(flags);
        Daemon {
            name: name.to_owned(),
            program: self.program.clone(),
            args,
            env: go::variables(),
            netns: None,
            uses_proxy: false,
            endpoint: format!("https://{address}:{port}"),
            health: None,
        }
    }

    /// Flags that controller manager and scheduler share.
    fn component(&self, name: &str, server: &str, port: u16) -> Vec<String> {
        let kubeconfig = self.kubeconfig_of(name);
        vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", self.cert(&format!("{server}.crt"))),
            format!("--tls-private-key-file={}", self.cert(&format!("{server}.key"))),
            format!("--client-ca-file={}", self.cert("ca.crt")),
            format!(
                "--requestheader-client-ca-file={}",
                self.cert("front-proxy-ca.crt")
            ),
            // There is one instance of each, so leader election would only delay its start.
            "--leader-elect=false".into(),
            "--profiling=false".into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    #[test]
    fn all_listeners_are_on_loopback() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(&Cache::at(dir.path()), "test").unwrap();
        let index = Index(3);
        let plane = ControlPlane {
            folder: &folder,
            index,
            ports: Ports {
                etcd: 1,
                etcd_peer: 2,
                apiserver: 3,
                controller_manager: 4,
                scheduler: 5,
                kwok: 6,
            },
            bind: Ipv4Addr::LOCALHOST,
            program: "idp-embedded".into(),
        };
        for daemon in [
            etcd::daemon(&plane),
            apiserver::daemon(&plane).unwrap(),
            controller_manager::daemon(&plane),
            scheduler::daemon(&plane),
        ] {
            assert_eq!(daemon.args[0], daemon.name);
            let listens: Vec<_> = daemon
                .args
                .iter()
                .filter(|arg| arg.starts_with("--bind-address") || arg.starts_with("--listen"))
                .collect();
            assert!(
                !listens.is_empty() && listens.iter().all(|arg| arg.contains("127.0.0.1")),
                "{listens:?}"
            );
        }
    }
}
