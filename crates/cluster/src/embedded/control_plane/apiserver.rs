//! The API server and its audit policy.

use anyhow::Result;
use serde_json::json;

use super::ControlPlane;
use crate::process::daemon::Daemon;

/// The audit log records requests of the platform's controllers only.
const AUDITED_GROUP: &str = "system:serviceaccounts:idp-system";

pub(crate) fn daemon(plane: &ControlPlane<'_>) -> Result<Daemon> {
    let audit = plane.folder.write_config("audit-policy.json", &audit_policy())?;
    let flags = vec![
        format!("--bind-address={}", plane.bind),
        format!("--secure-port={}", plane.ports.apiserver),
        format!("--advertise-address={}", plane.index.host_ip()),
        format!("--tls-cert-file={}", plane.cert("apiserver.crt")),
        format!("--tls-private-key-file={}", plane.cert("apiserver.key")),
        format!("--client-ca-file={}", plane.cert("ca.crt")),
        format!("--etcd-servers=https://127.0.0.1:{}", plane.ports.etcd),
        format!("--etcd-cafile={}", plane.cert("etcd-ca.crt")),
        format!("--etcd-certfile={}", plane.cert("etcd-client.crt")),
        format!("--etcd-keyfile={}", plane.cert("etcd-client.key")),
        format!("--kubelet-certificate-authority={}", plane.cert("ca.crt")),
        format!(
            "--kubelet-client-certificate={}",
            plane.cert("apiserver-kubelet.crt")
        ),
        format!("--kubelet-client-key={}", plane.cert("apiserver-kubelet.key")),
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!(
            "--service-account-key-file={}",
            plane.cert("service-accounts.pub")
        ),
        format!(
            "--service-account-signing-key-file={}",
            plane.cert("service-accounts.key")
        ),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        format!("--service-cluster-ip-range={}", plane.index.service_cidr()),
        format!(
            "--requestheader-client-ca-file={}",
            plane.cert("front-proxy-ca.crt")
        ),
        "--requestheader-allowed-names=front-proxy-client".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        format!(
            "--proxy-client-cert-file={}",
            plane.cert("front-proxy-client.crt")
        ),
        format!("--proxy-client-key-file={}", plane.cert("front-proxy-client.key")),
        "--authorization-mode=Node,RBAC".into(),
        "--anonymous-auth=false".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged=true".into(),
        "--profiling=false".into(),
        // Load tests send more requests at once than the default limits allow.
        "--max-requests-inflight=1600".into(),
        "--max-mutating-requests-inflight=800".into(),
        format!("--audit-policy-file={audit}"),
        format!("--audit-log-path={}", plane.folder.audit_log().display()),
        // Writes a request to the log before sending the response, so that tests can count without waiting.
        "--audit-log-mode=blocking".into(),
        "--audit-log-maxsize=1024".into(),
        "--audit-log-maxbackup=1".into(),
    ];
    Ok(plane.daemon("kube-apiserver", plane.ports.apiserver, plane.bind, flags))
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
