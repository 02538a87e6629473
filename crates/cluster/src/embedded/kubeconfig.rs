//! Writing kubeconfig files, and creating clients from them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD as STANDARD, Engine};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::cache::write_atomic;
use crate::embedded::state::Folder;

/// Writes a self-contained kubeconfig, readable by its owner only. `who` names a client certificate.
pub(crate) fn write(folder: &Folder, path: &Path, server: &str, who: &str) -> Result<()> {
    let read = |file: String| {
        let path = folder.cert(&file);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let ca = STANDARD.encode(read("ca.crt".into())?.as_bytes());
    let user = json!({
        "client-certificate-data": STANDARD.encode(read(format!("{who}.crt"))?.as_bytes()),
        "client-key-data": STANDARD.encode(read(format!("{who}.key"))?.as_bytes()),
    });
    let content = render(
        &context_name(&folder.name),
        server,
        json!({ "certificate-authority-data": ca }),
        &user,
    );
    write_atomic(path, serde_json::to_string_pretty(&content)?.as_bytes(), 0o600)
}

/// Writes a kubeconfig with a token, for the API server of the entry `cluster`.
pub(crate) fn write_token(path: &Path, context: &str, cluster: Value, token: &str) -> Result<()> {
    let server = cluster
        .get("server")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let content = render(context, &server, cluster, &json!({ "token": token }));
    write_atomic(path, serde_json::to_string_pretty(&content)?.as_bytes(), 0o600)
}

/// The name of cluster, user and context inside the file.
pub(crate) fn context_name(cluster: &str) -> String {
    if cluster == crate::DEFAULT_NAME {
        cluster.to_owned()
    } else {
        format!("idp-{cluster}")
    }
}

fn render(name: &str, server: &str, mut cluster: Value, user: &Value) -> Value {
    cluster["server"] = server.into();
    // JSON is valid YAML.
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{ "name": name, "cluster": cluster }],
        "users": [{ "name": name, "user": user }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
    })
}

/// A client for a kubeconfig file, or for the user's own kubeconfig.
pub(crate) async fn client(path: Option<&PathBuf>, context: Option<&str>) -> Result<kube::Client> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..Default::default()
    };
    let mut config = match path {
        Some(path) => {
            let kubeconfig =
                Kubeconfig::read_from(path).with_context(|| format!("reading {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await?
        }
        None => Config::from_kubeconfig(&options)
            .await
            .context("reading the kubeconfig")?,
    };
    if path.is_some() {
        // The user's proxy does not apply to a cluster on this machine.
        config.proxy_url = None;
    }
    Ok(kube::Client::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_context_is_current() {
        let config = render("idp", "https://127.0.0.1:1", json!({}), &json!({ "token": "t" }));
        assert_eq!(config["contexts"][0]["name"], config["current-context"]);
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:1");
    }
}
