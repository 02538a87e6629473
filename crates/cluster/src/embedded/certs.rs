//! The cluster's certificates, created with the cluster and kept with its data.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::cache::write_atomic;
use crate::embedded::addresses::Index;
use crate::embedded::state::Folder;

const CLIENT: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ClientAuth];
const SERVER: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ServerAuth];
const BOTH: &[ExtendedKeyUsagePurpose] = &[
    ExtendedKeyUsagePurpose::ServerAuth,
    ExtendedKeyUsagePurpose::ClientAuth,
];

/// Written last: marks a complete set of certificates.
const COMPLETE: &str = "complete";

/// Creates all certificates unless the set is complete.
pub(crate) fn ensure(folder: &Folder, index: Index, node: &str) -> Result<()> {
    if folder.cert(COMPLETE).exists() {
        return Ok(());
    }
    let ca = Authority::create(folder, "ca", &format!("idp cluster {}", folder.name))?;
    let etcd = Authority::create(folder, "etcd-ca", &format!("idp etcd {}", folder.name))?;
    let front = Authority::create(
        folder,
        "front-proxy-ca",
        &format!("idp front proxy {}", folder.name),
    )?;

    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let api = [loopback[0], index.host_ip().into(), index.api_service_ip().into()];
    let api_names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    ca.issue(
        folder,
        "apiserver",
        &Subject::server("kube-apiserver", &api_names, &api),
    )?;
    ca.issue(
        folder,
        "controller-manager-server",
        &Subject::server("controller-manager", &["localhost"], &loopback),
    )?;
    ca.issue(
        folder,
        "scheduler-server",
        &Subject::server("scheduler", &["localhost"], &loopback),
    )?;
    ca.issue(
        folder,
        "kubelet-server",
        &Subject::server(node, &[node], &[index.node_ip().into()]),
    )?;

    ca.issue(folder, "admin", &Subject::client("admin", Some("system:masters")))?;
    ca.issue(
        folder,
        "apiserver-kubelet",
        &Subject::client("kube-apiserver-kubelet-client", Some("system:masters")),
    )?;
    ca.issue(
        folder,
        "controller-manager",
        &Subject::client("system:kube-controller-manager", None),
    )?;
    ca.issue(
        folder,
        "scheduler",
        &Subject::client("system:kube-scheduler", None),
    )?;
    ca.issue(
        folder,
        "kubelet",
        &Subject::client(&format!("system:node:{node}"), Some("system:nodes")),
    )?;
    ca.issue(folder, "kube-proxy", &Subject::client("system:kube-proxy", None))?;
    // KWOK acts as the kubelet of every fake node, which no narrower role allows.
    ca.issue(folder, "kwok", &Subject::client("kwok", Some("system:masters")))?;

    etcd.issue(
        folder,
        "etcd",
        &Subject {
            usages: BOTH,
            ..Subject::server("etcd", &["localhost"], &loopback)
        },
    )?;
    etcd.issue(folder, "etcd-client", &Subject::client("kube-apiserver", None))?;
    front.issue(
        folder,
        "front-proxy-client",
        &Subject::client("front-proxy-client", None),
    )?;

    let service_accounts = KeyPair::generate()?;
    write_atomic(
        &folder.cert("service-accounts.key"),
        service_accounts.serialize_pem().as_bytes(),
        0o600,
    )?;
    write_atomic(
        &folder.cert("service-accounts.pub"),
        service_accounts.public_key_pem().as_bytes(),
        0o600,
    )?;
    write_atomic(&folder.cert(COMPLETE), b"", 0o600)
}

/// The folder with `ca.crt`, `tls.crt` and `tls.key` for mutual TLS between Crossplane and its functions on loopback.
/// Created once.
pub(crate) fn ensure_crossplane(folder: &Folder) -> Result<PathBuf> {
    let dir = folder.cert("crossplane");
    // Written last.
    if !dir.join("tls.key").exists() {
        let ca = Authority::create(
            folder,
            "crossplane/ca",
            &format!("idp crossplane {}", folder.name),
        )?;
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let subject = Subject {
            usages: BOTH,
            ..Subject::server("crossplane", &["localhost"], &loopback)
        };
        ca.issue(folder, "crossplane/tls", &subject)?;
    }
    Ok(dir)
}

/// The folder with `ca.crt`, `tls.crt` and `tls.key` for mutual TLS between the controller `name` and the others. Each
/// call issues a new certificate.
pub(crate) fn controller(folder: &Folder, namespace: &str, name: &str) -> Result<PathBuf> {
    let authority = folder.cert("controllers/ca.crt");
    // The key is written after the certificate.
    let title = format!("idp controllers {}", folder.name);
    let ca = if folder.cert("controllers/ca.key").exists() {
        Authority::open(folder, "controllers/ca", &title)?
    } else {
        Authority::create(folder, "controllers/ca", &title)?
    };
    let service = format!("{name}.{namespace}.svc");
    let identity = format!("spiffe://idp.dev/ns/{namespace}/sa/{name}");
    let names = [name, service.as_str()];
    let subject = Subject {
        usages: BOTH,
        identity: Some(&identity),
        ..Subject::server(name, &names, &[])
    };
    ca.issue(folder, &format!("controllers/{name}/tls"), &subject)?;
    let dir = folder.cert(&format!("controllers/{name}"));
    write_atomic(&dir.join("ca.crt"), &std::fs::read(authority)?, 0o600)?;
    Ok(dir)
}

/// Subject and usages of a certificate.
struct Subject<'a> {
    common_name: &'a str,
    group: Option<&'a str>,
    /// The workload's URI.
    identity: Option<&'a str>,
    names: &'a [&'a str],
    addresses: &'a [IpAddr],
    usages: &'static [ExtendedKeyUsagePurpose],
}

impl<'a> Subject<'a> {
    fn client(common_name: &'a str, group: Option<&'a str>) -> Self {
        Self {
            common_name,
            group,
            identity: None,
            names: &[],
            addresses: &[],
            usages: CLIENT,
        }
    }

    fn server(common_name: &'a str, names: &'a [&'a str], addresses: &'a [IpAddr]) -> Self {
        Self {
            common_name,
            group: None,
            identity: None,
            names,
            addresses,
            usages: SERVER,
        }
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn create(folder: &Folder, file: &str, name: &str) -> Result<Self> {
        let params = Self::params(name);
        let key = KeyPair::generate()?;
        write(folder, file, &params.self_signed(&key)?.pem(), &key)?;
        Ok(Self {
            issuer: Issuer::new(params, key),
        })
    }

    /// Opens an authority that was created before.
    fn open(folder: &Folder, file: &str, name: &str) -> Result<Self> {
        let key = KeyPair::from_pem(&std::fs::read_to_string(folder.cert(&format!("{file}.key")))?)?;
        Ok(Self {
            issuer: Issuer::new(Self::params(name), key),
        })
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    fn issue(&self, folder: &Folder, file: &str, subject: &Subject<'_>) -> Result<()> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, subject.common_name);
        if let Some(group) = subject.group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        for name in subject.names {
            params
                .subject_alt_names
                .push(SanType::DnsName((*name).try_into().context("a DNS name")?));
        }
        if let Some(identity) = subject.identity {
            let identity = identity.try_into().context("a URI")?;
            params.subject_alt_names.push(SanType::URI(identity));
        }
        params
            .subject_alt_names
            .extend(subject.addresses.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = subject.usages.to_vec();
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        write(folder, file, &params.signed_by(&key, &self.issuer)?.pem(), &key)
    }
}

fn write(folder: &Folder, file: &str, certificate: &str, key: &KeyPair) -> Result<()> {
    write_atomic(
        &folder.cert(&format!("{file}.crt")),
        certificate.as_bytes(),
        0o600,
    )?;
    write_atomic(
        &folder.cert(&format!("{file}.key")),
        key.serialize_pem().as_bytes(),
        0o600,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_private_and_created_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(&Cache::at(dir.path()), "test").unwrap();
        ensure(&folder, Index(0), "node").unwrap();
        let key = folder.cert("admin.key");
        assert_eq!(
            std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let before = std::fs::read(&key).unwrap();
        ensure(&folder, Index(0), "node").unwrap();
        assert_eq!(std::fs::read(&key).unwrap(), before);
    }
}
