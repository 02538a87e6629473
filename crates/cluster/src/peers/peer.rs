//! The projects whose resources the platform creates, and the Go modules that publish their CRDs.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::go::download_module;

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
    /// Delivery from Git.
    ArgoCd,
    /// Monitoring: ServiceMonitor, PodMonitor, Probe and PrometheusRule.
    PrometheusOperator,
}

impl Peer {
    /// Every peer.
    pub const ALL: [Self; 6] = [
        Self::Istio,
        Self::ExternalSecrets,
        Self::CertManager,
        Self::Crossplane,
        Self::ArgoCd,
        Self::PrometheusOperator,
    ];

    /// Module, version, and the file or folder with the CRDs.
    pub(super) fn published(self) -> (&'static str, &'static str, &'static str) {
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
            Self::Crossplane => ("github.com/crossplane/crossplane/v2", "v2.2.0", "cluster/crds"),
            Self::ArgoCd => ("github.com/argoproj/argo-cd/v3", "v3.2.11", "manifests/crds"),
            Self::PrometheusOperator => (
                "github.com/prometheus-operator/prometheus-operator",
                "v0.85.0",
                "example/prometheus-operator-crd",
            ),
        }
    }
}

impl Peer {
    /// Plural names of the CRDs that a cluster gets; all CRDs if absent.
    ///
    /// Each 100 KB of definitions costs the API server 0.2 s of CPU time, so a cluster does without
    /// those that configure servers which it does not run.
    pub(super) fn needed(self) -> Option<&'static [&'static str]> {
        match self {
            Self::PrometheusOperator => {
                Some(&["podmonitors", "probes", "prometheusrules", "servicemonitors"])
            }
            Self::ArgoCd => Some(&["applications", "appprojects"]),
            _ => None,
        }
    }
}

/// The folder of a peer's published module, which also contains the peer's charts. Downloads it if needed.
///
/// # Errors
/// When the download fails.
pub async fn published(peer: Peer) -> Result<PathBuf> {
    let (module, version, _) = peer.published();
    download_module(module, version).await
}
