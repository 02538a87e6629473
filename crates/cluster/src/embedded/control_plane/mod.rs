//! etcd, API server, controller manager and scheduler: their flags.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::embedded::addresses::{Index, Ports};
use crate::embedded::kubeconfig;
use crate::embedded::state::Folder;
use crate::process::daemon::Daemon;
use crate::process::go;

/// Who is recorded in the audit log: the platform's own controllers, and nobody else.
const AUDITED_GROUP: &str = "system:serviceaccounts:idp-system";

/// What the control plane's flags depend on.
pub(crate) struct ControlPlane<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) index: Index,
    pub(crate) ports: Ports,
    /// Where the API server listens: on the link to the node when pods must reach it, on loopback otherwise.
    pub(crate) bind: Ipv4Addr,
    pub(crate) program: PathBuf,
}

impl ControlPlane<'_> {
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.bind, self.ports.apiserver)
    }

    /// Kubeconfigs of the control plane's own clients and of the administrator.
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

    pub(crate) fn etcd(&self) -> Daemon {
        let client = format!("https://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("https://127.0.0.1:{}", self.ports.etcd_peer);
        let (cert, key, ca) = (
            self.cert("etcd.crt"),
            self.cert("etcd.key"),
            self.cert("etcd-ca.crt"),
        );
        let flags = vec![
            "--name=idp".into(),
            format!("--data-dir={}", self.folder.path.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=idp={peer}"),
            format!("--cert-file={cert}"),
            format!("--key-file={key}"),
            format!("--trusted-ca-file={ca}"),
            "--client-cert-auth".into(),
            format!("--peer-cert-file={cert}"),
            format!("--peer-key-file={key}"),
            format!("--peer-trusted-ca-file={ca}"),
            "--peer-client-cert-auth".into(),
            // A cluster to develop against: a power cut may cost its last seconds, and each write costs no flush.
            "--unsafe-no-fsync".into(),
            format!("--quota-backend-bytes={}", 8_u64 << 30),
            "--log-level=warn".into(),
        ];
        self.daemon("etcd", self.ports.etcd, Ipv4Addr::LOCALHOST, flags)
    }

    pub(crate) fn apiserver(&self) -> Result<Daemon> {
        let audit = self.folder.write_config("audit-policy.json", &audit_policy())?;
        let flags = vec![
            format!("--bind-address={}", self.bind),
            format!("--secure-port={}", self.ports.apiserver),
            format!("--advertise-address={}", self.index.host_ip()),
            format!("--tls-cert-file={}", self.cert("apiserver.crt")),
            format!("--tls-private-key-file={}", self.cert("apiserver.key")),
            format!("--client-ca-file={}", self.cert("ca.crt")),
            format!("--etcd-servers=https://127.0.0.1:{}", self.ports.etcd),
            format!("--etcd-cafile={}", self.cert("etcd-ca.crt")),
            format!("--etcd-certfile={}", self.cert("etcd-client.crt")),
            format!("--etcd-keyfile={}", self.cert("etcd-client.key")),
            format!("--kubelet-certificate-authority={}", self.cert("ca.crt")),
            format!(
                "--kubelet-client-certificate={}",
                self.cert("apiserver-kubelet.crt")
            ),
            format!("--kubelet-client-key={}", self.cert("apiserver-kubelet.key")),
            "--kubelet-preferred-address-types=InternalIP".into(),
            format!("--service-account-key-file={}", self.cert("service-accounts.pub")),
            format!(
                "--service-account-signing-key-file={}",
                self.cert("service-accounts.key")
            ),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            format!("--service-cluster-ip-range={}", self.index.service_cidr()),
            format!(
                "--requestheader-client-ca-file={}",
                self.cert("front-proxy-ca.crt")
            ),
            "--requestheader-allowed-names=front-proxy-client".into(),
            "--requestheader-username-headers=X-Remote-User".into(),
            "--requestheader-group-headers=X-Remote-Group".into(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
            format!("--proxy-client-cert-file={}", self.cert("front-proxy-client.crt")),
            format!("--proxy-client-key-file={}", self.cert("front-proxy-client.key")),
            "--authorization-mode=Node,RBAC".into(),
            "--anonymous-auth=false".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            "--allow-privileged=true".into(),
            "--profiling=false".into(),
            // One client at full speed must not be the limit that a load test finds.
            "--max-requests-inflight=1600".into(),
            "--max-mutating-requests-inflight=800".into(),
            format!("--audit-policy-file={audit}"),
            format!("--audit-log-path={}", self.folder.audit_log().display()),
            // A request is in the log before its answer is sent: a test that counts has nothing to wait for.
            "--audit-log-mode=blocking".into(),
            "--audit-log-maxsize=1024".into(),
            "--audit-log-maxbackup=1".into(),
        ];
        Ok(self.daemon("kube-apiserver", self.ports.apiserver, self.bind, flags))
    }

    pub(crate) fn controller_manager(&self) -> Daemon {
        let port = self.ports.controller_manager;
        let mut flags = self.component("controller-manager", "controller-manager-server", port);
        flags.extend([
            "--use-service-account-credentials=true".into(),
            format!(
                "--service-account-private-key-file={}",
                self.cert("service-accounts.key")
            ),
            format!("--root-ca-file={}", self.cert("ca.crt")),
            format!("--cluster-signing-cert-file={}", self.cert("ca.crt")),
            format!("--cluster-signing-key-file={}", self.cert("ca.key")),
            "--allocate-node-cidrs=false".into(),
            // Its default is a folder outside ours, which it would create.
            format!(
                "--flex-volume-plugin-dir={}",
                self.folder.path.join("config/volume-plugins").display()
            ),
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
            "--concurrent-deployment-syncs=20".into(),
            "--concurrent-replicaset-syncs=20".into(),
            "--concurrent-statefulset-syncs=20".into(),
            "--concurrent-job-syncs=20".into(),
            "--concurrent-endpoint-syncs=20".into(),
            "--concurrent-service-endpoint-syncs=20".into(),
            "--concurrent-gc-syncs=40".into(),
            "--concurrent-namespace-syncs=20".into(),
            "--concurrent-serviceaccount-token-syncs=20".into(),
            "--concurrent-horizontal-pod-autoscaler-syncs=10".into(),
        ]);
        self.daemon("kube-controller-manager", port, Ipv4Addr::LOCALHOST, flags)
    }

    pub(crate) fn scheduler(&self) -> Daemon {
        let port = self.ports.scheduler;
        let mut flags = self.component("scheduler", "scheduler-server", port);
        flags.extend(["--kube-api-qps=1000".into(), "--kube-api-burst=2000".into()]);
        self.daemon("kube-scheduler", port, Ipv4Addr::LOCALHOST, flags)
    }

    /// What controller manager and scheduler have in common.
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
            // There is one of each: an election would only delay its start.
            "--leader-elect=false".into(),
            "--profiling=false".into(),
        ]
    }
}

fn audit_policy() -> String {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            { "level": "Metadata", "userGroups": [AUDITED_GROUP] },
            { "level": "None" },
        ],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    #[test]
    fn every_listener_is_local() {
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
            plane.etcd(),
            plane.apiserver().unwrap(),
            plane.controller_manager(),
            plane.scheduler(),
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
