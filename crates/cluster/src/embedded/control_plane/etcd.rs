//! etcd.

use std::net::Ipv4Addr;

use super::ControlPlane;
use crate::process::daemon::Daemon;

pub(crate) fn daemon(plane: &ControlPlane<'_>) -> Daemon {
    let client = format!("https://127.0.0.1:{}", plane.ports.etcd);
    let peer = format!("https://127.0.0.1:{}", plane.ports.etcd_peer);
    let (cert, key, ca) = (
        plane.cert("etcd.crt"),
        plane.cert("etcd.key"),
        plane.cert("etcd-ca.crt"),
    );
    let flags = vec![
        "--name=idp".into(),
        format!("--data-dir={}", plane.folder.path.join("etcd").display()),
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
        // A development cluster may lose its last seconds at a power cut. In return, writes need no flush.
        "--unsafe-no-fsync".into(),
        format!("--quota-backend-bytes={}", 8_u64 << 30),
        "--log-level=warn".into(),
    ];
    plane.daemon("etcd", plane.ports.etcd, Ipv4Addr::LOCALHOST, flags)
}
