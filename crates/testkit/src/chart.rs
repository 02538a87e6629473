//! Charts: rendered by Helm, for which no cluster is needed, or installed.

use std::path::Path;

use anyhow::{Context, Result, bail};
use idp_cluster::Cluster;
use serde_json::Value;
use tokio::process::Command;

use crate::{NAMESPACE, cluster::Lines, root};

/// The charts of our controllers.
pub const CHARTS: [&str; 4] = [
    "idp-webapp",
    "idp-secrets-bridge",
    "idp-certificate-policy",
    "idp-claim-broker",
];
/// Without a cluster, Helm takes charts to be for a Kubernetes of years ago.
const KUBERNETES: &str = "--kube-version=1.36.3";

/// A chart, and what it is rendered with.
#[derive(Clone, Debug)]
pub struct Chart {
    name: &'static str,
    namespace: String,
    values: Vec<String>,
}

impl Chart {
    /// The chart of a controller, as it is released into the platform's namespace without any values.
    #[must_use]
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            namespace: NAMESPACE.to_owned(),
            values: Vec::new(),
        }
    }

    /// The same in another namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// The same with a value, as Helm's `--set-json` takes it: `image.tag="1.2.3"`.
    #[must_use]
    pub fn with(mut self, value: &str) -> Self {
        self.values.push(format!("--set-json={value}"));
        self
    }

    /// Its manifests as text.
    ///
    /// # Errors
    /// When Helm refuses a value or the chart.
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
    /// When Helm refuses a value or the chart, or what it makes is no YAML.
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

    /// Installs it as a release of its own name, or brings that up to date.
    ///
    /// # Errors
    /// When Helm refuses a value, or the API server an object.
    pub async fn install(&self, cluster: &Cluster) -> Result<()> {
        let kubeconfig = cluster
            .kubeconfig_file()
            .context("the cluster has no kubeconfig")?;
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

/// Checks a chart, or the library, as `helm lint --strict` does.
///
/// # Errors
/// What Helm finds.
pub async fn lint(chart: &str) -> Result<()> {
    helm(&["lint", "--strict", KUBERNETES, &format!("charts/{chart}")])
        .await
        .map(|_| ())
}

/// The objects of a chart that is not ours, released as `release` with the values of a file.
///
/// # Errors
/// When Helm refuses them.
pub async fn rendered(chart: &Path, values: Option<&Path>) -> Result<Vec<Value>> {
    let chart = chart.display().to_string();
    let values = values.map(|file| format!("--values={}", file.display()));
    let mut args = vec!["template", "release", &chart, KUBERNETES];
    args.extend(values.as_deref());
    let objects: Vec<Value> = serde_saphyr::from_multiple(&helm(&args).await?)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// Runs Helm in the repository; gives its output.
async fn helm(args: &[&str]) -> Result<String> {
    let program = idp_cluster::helm(&Lines).await?;
    // A folder of nobody's: neither configuration nor plug-ins of whoever runs the test.
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
