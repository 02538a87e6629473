//! Charts, rendered by Helm without a cluster, or installed into one.

use std::path::Path;

use anyhow::{Context, Result, bail};
use idp_cluster::Cluster;
use serde_json::Value;
use tokio::process::Command;

use crate::{NAMESPACE, cluster::Lines, root};

/// The charts of the platform's controllers.
pub const CHARTS: [&str; 4] = [
    "idp-webapp",
    "idp-secrets-bridge",
    "idp-certificate-policy",
    "idp-claim-broker",
];
/// Without a cluster, Helm assumes an old version of Kubernetes.
const KUBERNETES: &str = "--kube-version=1.36.3";

/// A chart and its values.
#[derive(Clone, Debug)]
pub struct Chart {
    name: &'static str,
    namespace: String,
    values: Vec<String>,
}

impl Chart {
    /// A controller's chart, in the platform's namespace and without values.
    #[must_use]
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            namespace: NAMESPACE.to_owned(),
            values: Vec::new(),
        }
    }

    /// Sets the namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Adds a value, in the notation of Helm's `--set-json`: `image.tag="1.2.3"`.
    #[must_use]
    pub fn with(mut self, value: &str) -> Self {
        self.values.push(format!("--set-json={value}"));
        self
    }

    /// Its manifests as text.
    ///
    /// # Errors
    /// When Helm rejects a value or the chart.
    pub async fn text(&self) -> Result<String> {
        let folder = format!("charts/{}", self.name);
        let mut args = vec![
            "template",
            self.name,
            &folder,
            "--namespace",
            &self.namespace,
            KUBERNETES,
        ];
        args.extend(self.values.iter().map(String::as_str));
        helm(&args).await
    }

    /// Its objects.
    ///
    /// # Errors
    /// When Helm rejects a value or the chart, or its output is not YAML.
    pub async fn objects(&self) -> Result<Vec<Value>> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(&self.text().await?)?;
        Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
    }

    /// Its objects of a kind.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn of_kind(&self, kind: &str) -> Result<Vec<Value>> {
        let mut objects = self.objects().await?;
        objects.retain(|object| object["kind"] == kind);
        Ok(objects)
    }

    /// Installs or upgrades a release named after the chart.
    ///
    /// # Errors
    /// When Helm rejects a value, or the API server rejects an object.
    pub async fn install(&self, cluster: &Cluster) -> Result<()> {
        let kubeconfig = cluster
            .kubeconfig_file()
            .context("The cluster has no kubeconfig.")?;
        let (folder, kubeconfig) = (format!("charts/{}", self.name), kubeconfig.display().to_string());
        let mut args = vec![
            "upgrade",
            "--install",
            self.name,
            &folder,
            "--kubeconfig",
            &kubeconfig,
        ];
        args.extend(["--namespace", &self.namespace]);
        args.extend(self.values.iter().map(String::as_str));
        helm(&args).await.map(|_| ())
    }
}

/// Runs `helm lint --strict` on a chart or the library.
///
/// # Errors
/// Helm's findings.
pub async fn lint(chart: &str) -> Result<()> {
    helm(&["lint", "--strict", KUBERNETES, &format!("charts/{chart}")])
        .await
        .map(|_| ())
}

/// The objects of another chart, for the release `release` with the values of a file.
///
/// # Errors
/// When Helm rejects chart or values.
pub async fn rendered(chart: &Path, values: Option<&Path>) -> Result<Vec<Value>> {
    let chart = chart.display().to_string();
    let values = values.map(|file| format!("--values={}", file.display()));
    let mut args = vec!["template", "release", &chart, KUBERNETES];
    args.extend(values.as_deref());
    let objects: Vec<Value> = serde_saphyr::from_multiple(&helm(&args).await?)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// Runs Helm in the repository and returns its output.
async fn helm(args: &[&str]) -> Result<String> {
    let program = idp_cluster::helm(&Lines).await?;
    // Its own folder, to ignore the user's configuration and plug-ins.
    let home = std::env::temp_dir().join("idp-helm");
    let output = Command::new(program)
        .args(args)
        .current_dir(root())
        .envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|name| (name, &home)))
        .output()
        .await?;
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        bail!("helm {}: {out}{errors}", args.join(" "));
    }
    Ok(out.into_owned())
}
