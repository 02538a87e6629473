//! The CRDs of the platform's peers, from the Go modules that publish them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::build::go::{download_module, hex};
use crate::cache::{Cache, write_atomic};
use crate::manifests::apply::apply_objects;
use crate::manifests::parse::{Manifest, Sourced, parse};
use crate::peers::peer::Peer;
use crate::progress::{Progress, step};

/// Identifies a set of CRDs. A cluster's state records it once they are applied.
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

/// Applies the peers' CRDs and waits until all are served.
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
    let title = format!("apply {} CRDs", objects.len());
    step(progress, &title, apply_objects(client, objects)).await
}

/// A peer's CRDs, from the cache if possible.
async fn load(cache: &Cache, peer: Peer, progress: &dyn Progress) -> Result<Vec<Value>> {
    let (module, version, path) = peer.published();
    let part = peer.needed().map_or("", |_| "-needed");
    // JSON parses ten times faster than YAML, and each new cluster reads it.
    let cached = cache
        .dir("crds")?
        .join(format!("{}@{version}{part}.json", module.replace('/', "-")));
    if let Ok(bytes) = fs::read(&cached)
        && let Ok(objects) = serde_json::from_slice(&bytes)
    {
        return Ok(objects);
    }
    let title = format!("fetch CRDs of {module}");
    step(progress, &title, async {
        let folder = download_module(module, version).await?;
        let source = folder.join(path);
        let objects = tokio::task::spawn_blocking(move || collect(&source, peer.needed())).await??;
        write_atomic(&cached, &serde_json::to_vec(&objects)?, 0o644)?;
        Ok(objects)
    })
    .await
}

/// The needed CRDs in a YAML file, or in the YAML files of a folder.
fn collect(source: &Path, needed: Option<&[&str]>) -> Result<Vec<Value>> {
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
    definitions.retain(|definition| {
        let plural = definition
            .pointer("/spec/names/plural")
            .and_then(Value::as_str)
            .unwrap_or_default();
        needed.is_none_or(|needed| needed.contains(&plural))
    });
    if definitions.is_empty() {
        bail!("{} contains no CRDs.", source.display());
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
    fn only_crds_are_collected() {
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
        assert_eq!(collect(dir.path(), None).unwrap().len(), 1);
    }

    #[test]
    fn only_needed_crds_are_collected() {
        let dir = tempfile::tempdir().unwrap();
        for plural in ["servers", "rules"] {
            let crd = format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.a.io}}\n\
                 spec: {{names: {{plural: {plural}}}}}\n"
            );
            fs::write(dir.path().join(format!("{plural}.yaml")), crd).unwrap();
        }
        let collected = collect(dir.path(), Some(&["rules"])).unwrap();
        assert_eq!(collected.len(), 1);
        assert_eq!(collected[0]["metadata"]["name"], "rules.a.io");
        assert!(collect(dir.path(), Some(&["others"])).is_err());
    }
}
