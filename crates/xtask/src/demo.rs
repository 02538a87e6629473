//! `cargo xtask demo`: from an empty machine to a running application.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use idp_api::WebApplication;
use idp_cluster::{Cluster, DEFAULT_NAME, Manifest};
use idp_core::condition::READY;
use idp_testkit::load_sample_image;
use kube::{Api, Client};

use crate::build::{self, Profile};

const APPLICATION: &str = "sample-web-app";
const APPLICATION_NAMESPACE: &str = "sample";
/// Time limit for the sample. Its image is in the node already.
const PATIENCE: Duration = Duration::from_secs(180);

/// The controllers and the command line.
const PROGRAMS: [&str; 5] = [
    "idp-webapp",
    "idp-secrets-bridge",
    "idp-certificate-policy",
    "idp-claim-broker",
    "idp-cli",
];

/// Options of the demo.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Peers to run with the cluster, as for `idp-cli up --with`. The first build takes minutes.
    #[arg(long = "with", value_name = "ADD-ONS")]
    with: Option<String>,
}

/// Starts the cluster, the controllers and the sample; shows its tree and its page.
pub(crate) async fn run(root: &Path, args: &DemoArgs) -> Result<()> {
    println!("… build the controllers and the command line");
    let cli = build::programs(root, &PROGRAMS, Profile::Debug)?.join("idp-cli");
    let mut up = Command::new(&cli);
    up.args(["up", "--yes"]);
    if let Some(addons) = &args.with {
        up.args(["--with", addons]);
    }
    build::run(&mut up)?;
    let cluster = Cluster::open(DEFAULT_NAME)?;
    if cluster.real_node()?.is_some() {
        println!("… make the sample's image and load it into the node");
        load_sample_image(&cluster).await?;
    }
    let client = cluster.client().await?;
    println!("… apply applications/sample-web-app");
    apply_sample(&client, root, args.with.as_deref()).await?;
    wait_ready(&client).await?;

    println!();
    build::run(Command::new(&cli).args(["tree", APPLICATION, "--namespace", APPLICATION_NAMESPACE]))?;
    show_page(&cluster, &client).await?;
    let cli = cli.strip_prefix(root).unwrap_or(&cli).display();
    println!(
        "
Next steps"
    );
    println!("  {cli} status {APPLICATION} --namespace {APPLICATION_NAMESPACE}");
    println!("  {cli} kubectl get webapplications,pods --all-namespaces");
    println!("  {cli} render applications/sample-web-app/webapplication.yaml");
    println!("  {cli} status        # the cluster's components and their logs");
    println!("  {cli} down --purge  # stop everything and delete all data");
    Ok(())
}

async fn apply_sample(client: &Client, root: &Path, addons: Option<&str>) -> Result<()> {
    // `supplied.yaml` adds secrets, which require External Secrets.
    let application = match addons {
        Some(addons) if addons.contains("external-secrets") => "supplied.yaml",
        _ => "webapplication.yaml",
    };
    let manifests: Result<Vec<Manifest>> = ["namespace.yaml", application]
        .into_iter()
        .map(|name| {
            let source = format!("applications/sample-web-app/{name}");
            let text = std::fs::read_to_string(root.join(&source)).with_context(|| source.clone())?;
            Ok(Manifest { source, text })
        })
        .collect();
    idp_cluster::apply_manifests(client, &manifests?).await
}

/// Waits until the sample is Ready, and prints the current state.
async fn wait_ready(client: &Client) -> Result<()> {
    let apps = Api::<WebApplication>::namespaced(client.clone(), APPLICATION_NAMESPACE);
    let start = std::time::Instant::now();
    let mut told = String::new();
    while start.elapsed() < PATIENCE {
        let app = apps.get(APPLICATION).await?;
        let status = app.status.unwrap_or_default();
        let current = status.observed_generation == app.metadata.generation;
        if let Some(ready) = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == READY)
        {
            if ready.is_true() && current {
                println!(
                    "✓ {APPLICATION} is ready ({:.1} s)",
                    start.elapsed().as_secs_f32()
                );
                return Ok(());
            }
            if told != ready.message {
                told.clone_from(&ready.message);
                println!("  {told}");
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!(
        "{APPLICATION} is not ready after {} s: {told}",
        PATIENCE.as_secs()
    )
}

/// Fetches the application's page from its pods, through its Service.
async fn show_page(cluster: &Cluster, client: &Client) -> Result<()> {
    if cluster.real_node()?.is_none() {
        println!(
            "
No page to show: fake nodes run no containers. A real node requires Linux and root."
        );
        return Ok(());
    }
    let path =
        format!("/api/v1/namespaces/{APPLICATION_NAMESPACE}/services/http:{APPLICATION}:http/proxy/api/info");
    let page = client
        .request_text(http::Request::get(&path).body(Vec::new())?)
        .await?;
    println!("\nGET /api/info through the Service:\n{page}");
    Ok(())
}
