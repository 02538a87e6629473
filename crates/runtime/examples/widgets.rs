//! A whole controller, and a load for it: `widgets run --kubeconfig …`, `widgets load 1000`, `widgets bare 1000`.
//!
//! `load` creates that many Widgets of 13 ConfigMaps each and waits until all are ready; `bare` writes the same
//! ConfigMaps with a bare client, for comparison.

#[path = "../tests/widget/mod.rs"]
mod widget;

use std::{collections::BTreeMap, time::Instant};

use clap::{Parser, Subcommand};
use futures::{StreamExt, stream};
use idp_runtime::Reconcile;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use widget::{Widget, Widgets};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The controller
    Run(idp_runtime::Args),
    /// Creates Widgets and waits for them
    Load { count: usize },
    /// Writes the same ConfigMaps with a bare client
    Bare {
        count: usize,
        #[arg(default_value_t = 48)]
        concurrency: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run(args) => idp_runtime::run(Widgets, args).await,
        Command::Load { count } => load(count).await,
        Command::Bare { count, concurrency } => bare(count, concurrency).await,
    }
}

const CHILDREN: usize = 13;

fn data(widget: usize) -> BTreeMap<String, String> {
    let keys = std::env::var("KEYS")
        .ok()
        .and_then(|keys| keys.parse().ok())
        .unwrap_or(12);
    (0..keys)
        .map(|key| {
            (
                format!("key-{key}"),
                format!("value {key} of {widget}: {}", "x".repeat(60)),
            )
        })
        .collect()
}

async fn namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let api: Api<Namespace> = Api::all(client.clone());
    api.patch(name, &PatchParams::apply("load"), &Patch::Apply(&object))
        .await?;
    Ok(())
}

async fn load(count: usize) -> anyhow::Result<()> {
    let client = Client::try_default().await?;
    namespace(&client, "load").await?;
    let api: Api<Widget> = Api::namespaced(client, "load");
    let began = Instant::now();
    let api = &api;
    stream::iter(0..count)
        .for_each_concurrent(16, |number| async move {
            let maps: BTreeMap<String, _> = (0..CHILDREN).map(|map| (format!("m{map}"), data(number))).collect();
            let name = format!("w{number}");
            let object = json!({ "apiVersion": "test.idp.dev/v1", "kind": "Widget", "metadata": { "name": name }, "spec": { "maps": maps } });
            if let Err(error) = api.patch(&name, &PatchParams::apply("load").force(), &Patch::Apply(&object)).await {
                eprintln!("{error}");
            }
        })
        .await;
    println!("created after {:.1} s", began.elapsed().as_secs_f32());
    loop {
        let mut ready = 0;
        let mut page = ListParams::default().limit(100);
        loop {
            let list = api.list(&page).await?;
            ready += list
                .iter()
                .filter(|widget| {
                    widget
                        .status
                        .as_ref()
                        .is_some_and(|status| status.children.len() == CHILDREN)
                })
                .count();
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        println!("{:6.1} s: {ready} ready", began.elapsed().as_secs_f32());
        if ready >= count {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
}

async fn bare(count: usize, concurrency: usize) -> anyhow::Result<()> {
    let client = Client::try_default().await?;
    namespace(&client, "bare").await?;
    let api: Api<ConfigMap> = Api::namespaced(client, "bare");
    let began = Instant::now();
    let api = &api;
    stream::iter((0..count).flat_map(|number| (0..CHILDREN).map(move |map| (number, map))))
        .for_each_concurrent(concurrency, |(number, map)| async move {
            let name = format!("w{number}-m{map}");
            let labels = idp_core::labels::for_child(&format!("w{number}"), Widgets::NAME);
            let object: Value = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": name, "labels": labels },
                "data": data(number),
            });
            if let Err(error) = api
                .patch(&name, &PatchParams::apply("load").force(), &Patch::Apply(&object))
                .await
            {
                eprintln!("{error}");
            }
        })
        .await;
    println!(
        "bare: {} writes in {:.1} s",
        count * CHILDREN,
        began.elapsed().as_secs_f32()
    );
    Ok(())
}
