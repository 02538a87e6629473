//! The resource definitions of the platform's peers, taken from the Go modules that publish them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::build::go::{download_module, hex};
use crate::cache::{Cache, write_atomic};
use crate::manifests::apply::{Manifest, Sourced, apply_objects, parse};
use crate::progress::{Progress, step};

/// A project whose resources the platform creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Traffic routing and mesh policy.
    Istio,
    /// Secrets from external stores.
    ExternalSecrets,
    /// Certificates.
    CertManager,
    /// Claims of infrastructure.
    Crossplane,
    /// Crossplane's second generation, in place of the first.
    Crossplane2,
    /// Delivery from Git.
    ArgoCd,
    /// Monitoring: ServiceMonitor, PrometheusRule and their kin.
    PrometheusOperator,
}

impl Peer {
    /// Every peer, in the generation that the platform takes by default.
    pub const ALL: [Self; 6] = [
        Self::Istio,
        Self::ExternalSecrets,
        Self::CertManager,
        Self::Crossplane,
        Self::ArgoCd,
        Self::PrometheusOperator,
    ];

    /// Module, version, and the file or folder that holds the definitions.
    fn published(self) -> (&'static str, &'static str, &'static str) {
        match self {
            // Not istio.io/istio: the module of the API alone is a hundredth of its size.
            Self::Istio => (
                "istio.io/api",
                "v1.31.4",
                "kubernetes/customresourcedefinitions.gen.yaml",
            ),
            Self::ExternalSecrets => (
                "github.com/external-secrets/external-secrets",
                "v0.20.4",
                "deploy/crds/bundle.yaml",
            ),
            Self::CertManager => ("github.com/cert-manager/cert-manager", "v1.21.2", "deploy/crds"),
            Self::Crossplane => ("github.com/crossplane/crossplane", "v1.20.1", "cluster/crds"),
            Self::Crossplane2 => ("github.com/crossplane/crossplane/v2", "v2.2.0", "cluster/crds"),
            Self::ArgoCd => ("github.com/argoproj/argo-cd/v3", "v3.2.11", "manifests/crds"),
            Self::PrometheusOperator => (
                "github.com/prometheus-operator/prometheus-operator",
                "v0.85.0",
                "example/prometheus-operator-crd",
            ),
        }
    }
}

/// The folder of a peer's published module, downloaded where it is not there yet: it holds the peer's charts too.
///
/// # Errors
/// When it cannot be downloaded.
pub async fn published(peer: Peer) -> Result<PathBuf> {
    let (module, version, _) = peer.published();
    download_module(module, version).await
}

/// Names a set of definitions: what a cluster records once it holds them.
pub(crate) fn fingerprint(peers: &[Peer]) -> String {
    let mut published: Vec<_> = peers.iter().map(|peer| peer.published()).collect();
    published.sort_unstable();
    published.dedup();
    let mut hash = Sha256::new();
    for (module, version, _) in published {
        hash.update(format!("{module}@{version}\n"));
    }
    hex(&hash.finalize())[..16].to_owned()
}

/// Applies the definitions of these peers and waits until all are served.
pub(crate) async fn apply(
    cache: &Cache,
    client: &kube::Client,
    peers: &[Peer],
    progress: &dyn Progress,
) -> Result<()> {
    let mut objects = Vec::new();
    for peer in peers {
        let (module, version, _) = peer.published();
        for object in load(cache, *peer, progress).await? {
            objects.push(Sourced {
                source: format!("{module}@{version}"),
                object,
            });
        }
    }
    let title = format!("apply {} resource definitions", objects.len());
    step(progress, &title, apply_objects(client, objects)).await
}

/// A peer's definitions, from the cache where they have been read before.
async fn load(cache: &Cache, peer: Peer, progress: &dyn Progress) -> Result<Vec<Value>> {
    let (module, version, path) = peer.published();
    // As JSON: it is read at each new cluster, and ten times faster than YAML.
    let cached = cache
        .dir("crds")?
        .join(format!("{}@{version}.json", module.replace('/', "-")));
    if let Ok(bytes) = fs::read(&cached)
        && let Ok(objects) = serde_json::from_slice(&bytes)
    {
        return Ok(objects);
    }
    let title = format!("fetch definitions of {module}");
    step(progress, &title, async {
        let folder = download_module(module, version).await?;
        let source = folder.join(path);
        let objects = tokio::task::spawn_blocking(move || collect(&source)).await??;
        write_atomic(&cached, &serde_json::to_vec(&objects)?, 0o644)?;
        Ok(objects)
    })
    .await
}

/// All definitions in a YAML file, or in the YAML files of a folder.
fn collect(source: &Path) -> Result<Vec<Value>> {
    let mut files = vec![source.to_owned()];
    if source.is_dir() {
        files = fs::read_dir(source)?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
    }
    let mut definitions = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let manifest = Manifest {
            source: file.display().to_string(),
            text,
        };
        let objects = parse(&manifest)?.into_iter().map(|sourced| sourced.object);
        definitions.extend(objects.filter(|object| object["kind"] == "CustomResourceDefinition"));
    }
    if definitions.is_empty() {
        bail!("{} holds no resource definition", source.display());
    }
    Ok(definitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_does_not_depend_on_order() {
        let mut reversed = Peer::ALL;
        reversed.reverse();
        assert_eq!(fingerprint(&Peer::ALL), fingerprint(&reversed));
        assert_ne!(fingerprint(&Peer::ALL), fingerprint(&[Peer::Istio]));
    }

    #[test]
    fn only_definitions_are_collected() {
        let dir = tempfile::tempdir().unwrap();
        let crd =
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n";
        fs::write(dir.path().join("a.yaml"), crd).unwrap();
        fs::write(
            dir.path().join("kustomization.yaml"),
            "apiVersion: v1\nkind: Kustomization\n",
        )
        .unwrap();
        fs::write(dir.path().join("README.md"), "no").unwrap();
        assert_eq!(collect(dir.path()).unwrap().len(), 1);
    }
}
