//! Fake nodes by KWOK, whose pods exist as objects only.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::embedded::control_plane::ControlPlane;
use crate::manifests::apply::FIELD_MANAGER;
use crate::process::daemon::Daemon;
use crate::process::go;

/// Label selector of fake nodes.
pub(crate) const SELECTOR: &str = "type=kwok";

/// The KWOK daemon. `dir` contains the program and its stages.
pub(crate) fn daemon(plane: &ControlPlane<'_>, dir: &Path) -> Result<Daemon> {
    let address = format!("{}:{}", Ipv4Addr::LOCALHOST, plane.ports.kwok);
    let config = plane
        .folder
        .write_config("kwok.yaml", &config(dir, &plane.index.kwok_cidr(), &address)?)?;
    Ok(Daemon {
        name: "kwok".to_owned(),
        program: dir.join("kwok"),
        args: vec![
            format!("--kubeconfig={}", plane.kubeconfig_of("kwok")),
            format!("--config={config}"),
        ],
        env: go::variables(),
        netns: None,
        uses_proxy: false,
        endpoint: format!("http://{address}"),
        health: None,
    })
}

/// KWOK's options, followed by the stages of its module, which define how nodes and pods behave.
fn config(dir: &Path, cidr: &str, address: &str) -> Result<String> {
    let options = json!({
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            "cidr": cidr,
            "serverAddress": address,
            "manageAllNodes": false,
            "manageNodesWithLabelSelector": SELECTOR,
            "manageNodesWithAnnotationSelector": "",
            "nodeLeaseDurationSeconds": 40,
            "nodeLeaseParallelism": 8,
            "nodePlayStageParallelism": 16,
            "podPlayStageParallelism": 32,
            "podsOnNodeSyncParallelism": 16,
            "enablePodsOnNodeSyncStreamWatch": true,
        },
    });
    let mut documents = vec![options.to_string()];
    let mut stages: Vec<_> = fs::read_dir(dir)
        .with_context(|| format!("reading {}", dir.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    stages.sort();
    for stage in stages {
        documents.push(fs::read_to_string(stage)?);
    }
    Ok(documents.join("\n---\n"))
}

/// Creates fake nodes and deletes those beyond `count`. Tainted nodes run only pods that tolerate the taint.
pub(crate) async fn ensure_nodes(client: &kube::Client, count: usize, tainted: bool) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    stream::iter((0..count).map(|number| node(number, tainted)))
        .map(Ok)
        .try_for_each_concurrent(16, |node| {
            let (nodes, apply) = (&nodes, &apply);
            async move {
                let name = node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                nodes
                    .patch(&name, apply, &Patch::Apply(node))
                    .await
                    .with_context(|| format!("creating node {name}"))?;
                Ok::<_, anyhow::Error>(())
            }
        })
        .await?;
    let wanted: std::collections::BTreeSet<_> = (0..count).map(node_name).collect();
    for node in nodes
        .list_metadata(&ListParams::default().labels(SELECTOR))
        .await?
    {
        let name = node.metadata.name.unwrap_or_default();
        if !wanted.contains(&name) {
            nodes.delete(&name, &DeleteParams::default()).await?;
        }
    }
    Ok(())
}

fn node_name(number: usize) -> String {
    format!("kwok-{number}")
}

fn node(number: usize, tainted: bool) -> Value {
    let name = node_name(number);
    let spec = if tainted {
        json!({ "taints": [{ "key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule" }] })
    } else {
        json!({})
    };
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": format!("zone-{}", number % 3),
            },
            "annotations": { "kwok.x-k8s.io/node": "fake" },
        },
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_first_and_stages_follow() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pod-ready.yaml"), "kind: Stage").unwrap();
        fs::write(dir.path().join("kwok"), "binary").unwrap();
        let text = config(dir.path(), "10.0.0.0/16", "127.0.0.1:1").unwrap();
        let (options, stages) = text.split_once("\n---\n").unwrap();
        assert!(options.contains("KwokConfiguration") && options.contains("type=kwok"));
        assert_eq!(stages, "kind: Stage");
    }

    #[test]
    fn fake_nodes_are_tainted_beside_a_real_one_only() {
        assert_eq!(node(0, false)["spec"], json!({}));
        assert_eq!(node(0, true)["spec"]["taints"][0]["effect"], "NoSchedule");
    }
}
