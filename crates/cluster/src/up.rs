//! Starting a cluster: every step in order, skipping those already done.

use anyhow::{Result, bail};

use crate::addons;
use crate::build::modules::{EMBEDDED, KWOK, PAUSE};
use crate::cache::Cache;
use crate::cluster::{Access, Cluster};
use crate::embedded::kubeconfig;
use crate::embedded::node::packages::{can_run_real_node, missing_packages};
use crate::embedded::node::sysctl;
use crate::embedded::start::{Programs, Start};
use crate::embedded::state::Folder;
use crate::kind;
use crate::manifests::apply::apply_manifests;
use crate::options::{Nodes, Provider, UpOptions};
use crate::peers::addon;
use crate::peers::definitions;
use crate::peers::peer::Peer;
use crate::progress::{Progress, step};

/// Starts a cluster, or the components of it that do not run. Returns when the API server and the nodes are ready, and
/// all CRDs and manifests are applied. A repeated call is cheap and changes nothing.
///
/// # Errors
/// When a tool or package is missing, a build fails, a component does not become ready (with the end of its log), or
/// the API server rejects an object.
pub async fn up(options: &UpOptions, progress: &dyn Progress) -> Result<Cluster> {
    if options.provider != Provider::Embedded && !options.addons.is_empty() {
        bail!("Only an embedded cluster has add-ons. Install the peers into this cluster yourself.");
    }
    let cache = Cache::from_env()?;
    let folder = Folder::new(&cache, &options.name)?;
    match &options.provider {
        Provider::Embedded => embedded(options, &cache, folder, progress).await,
        Provider::Kind => {
            let _lock = folder.lock().await?;
            kind::up(&options.name, &folder.kubeconfig(), progress).await?;
            std::fs::write(kind::marker(&folder), "")?;
            let client = kubeconfig::client(Some(&folder.kubeconfig()), None).await?;
            populate(options, &options.peers, &cache, &client, progress).await?;
            Ok(Cluster::new(folder, Access::Kind))
        }
        Provider::Existing { context } => {
            let client = kubeconfig::client(None, context.as_deref()).await?;
            populate(options, &options.peers, &cache, &client, progress).await?;
            Ok(Cluster::new(
                folder,
                Access::Existing {
                    context: context.clone(),
                },
            ))
        }
    }
}

async fn embedded(
    options: &UpOptions,
    cache: &Cache,
    folder: Folder,
    progress: &dyn Progress,
) -> Result<Cluster> {
    check_machine(options.nodes)?;
    let _lock = folder.lock().await?;
    let state = folder.load_or_create(cache).await?;
    let addons = addon::merged(&state.addons, &options.addons);
    let peers = addon::peers(&options.peers, &addons);
    let programs = build(options.nodes, cache, progress).await?;
    let built = addons::build(cache, &addons, progress).await?;
    let mut start = Start {
        folder: &folder,
        state,
        programs,
        kubelet_started: None,
    };
    let client = step(progress, "start the control plane", start.control_plane()).await?;
    if options.nodes.real() {
        step(progress, "start the node", start.real_node()).await?;
    }
    let wanted = definitions::fingerprint(&peers);
    let missing = start.state.definitions.as_ref() != Some(&wanted);
    let new: &[Peer] = if missing { &peers } else { &[] };
    populate(options, new, cache, &client, progress).await?;
    start.state.definitions = Some(wanted);
    start.state.addons = addons;
    folder.save(&start.state)?;
    let fake = options.nodes.kwok();
    if fake > 0 {
        step(progress, "create fake nodes", start.fake_nodes(&client, fake)).await?;
    }
    step(progress, "wait for the nodes", start.nodes_ready(&client, fake)).await?;
    if options.nodes.real() {
        sysctl::undo_kubelets().await?;
    }
    if !start.state.addons.is_empty() {
        let work = addons::start(&folder, &mut start.state, &built);
        step(progress, "start the add-ons", work).await?;
    }
    drop(start);
    Ok(Cluster::new(folder, Access::Embedded))
}

fn check_machine(nodes: Nodes) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("The embedded cluster needs Linux. Use --provider kind or --provider existing.");
    }
    if !nodes.real() {
        return Ok(());
    }
    if !can_run_real_node() {
        bail!("A real node needs root. Run as root, or use fake nodes only.");
    }
    let missing = missing_packages();
    if !missing.is_empty() {
        bail!(
            "A real node needs packages that are not installed: {}",
            missing.join(", ")
        );
    }
    Ok(())
}

async fn build(nodes: Nodes, cache: &Cache, progress: &dyn Progress) -> Result<Programs> {
    let embedded = EMBEDDED.ensure(cache, progress).await?;
    let kwok = if nodes.kwok() > 0 {
        Some(KWOK.ensure(cache, progress).await?)
    } else {
        None
    };
    let pause = if nodes.real() {
        Some(PAUSE.ensure(cache, progress).await?)
    } else {
        None
    };
    Ok(Programs {
        embedded: EMBEDDED.program(&embedded),
        kwok,
        pause,
    })
}

/// Applies CRDs and manifests, in a cluster of any provider.
async fn populate(
    options: &UpOptions,
    peers: &[Peer],
    cache: &Cache,
    client: &kube::Client,
    progress: &dyn Progress,
) -> Result<()> {
    if !peers.is_empty() {
        definitions::apply(cache, client, peers, progress).await?;
    }
    if !options.manifests.is_empty() {
        step(
            progress,
            "apply manifests",
            apply_manifests(client, &options.manifests),
        )
        .await?;
    }
    Ok(())
}
