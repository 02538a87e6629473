//! The Go programs of clusters and add-ons. Their modules are part of this crate.

use crate::build::go::{GoModule, Upstream};
use crate::build::versions::EXTERNAL_SECRETS_VERSION;

macro_rules! source {
    ($module:literal, $file:literal) => {
        (
            $file,
            include_str!(concat!(
                "../../../../infrastructure/embedded/",
                $module,
                "/",
                $file
            )),
        )
    };
}

/// Control plane, kubelet, kube-proxy, kubectl and etcd.
pub(crate) const EMBEDDED: GoModule = GoModule {
    name: "idp-embedded",
    files: &[
        source!("kubernetes", "go.mod"),
        source!("kubernetes", "go.sum"),
        source!("kubernetes", "main.go"),
    ],
    package: ".",
    kubernetes_version: true,
    assets: &[],
    upstream: None,
};

/// Fake nodes, with the KWOK stages that run their pods and complete their Jobs.
pub(crate) const KWOK: GoModule = GoModule {
    name: "kwok",
    files: &[source!("kwok", "go.mod"), source!("kwok", "go.sum")],
    package: "sigs.k8s.io/kwok/cmd/kwok",
    kubernetes_version: false,
    assets: &[
        "kustomize/stage/node/fast",
        "kustomize/stage/node/heartbeat-with-lease",
        "kustomize/stage/pod/fast",
    ],
    upstream: None,
};

/// The only process of a pod's sandbox image.
pub(crate) const PAUSE: GoModule = GoModule {
    name: "pause",
    files: &[source!("pause", "go.mod"), source!("pause", "main.go")],
    package: ".",
    kubernetes_version: false,
    assets: &[],
    upstream: None,
};

/// Secrets from external stores into Secrets.
pub(crate) const EXTERNAL_SECRETS: GoModule = GoModule {
    name: "external-secrets",
    files: &[
        source!("external-secrets", "go.mod"),
        source!("external-secrets", "go.sum"),
        source!("external-secrets", "main.go"),
        source!("external-secrets", "upstream/pkg/provider/register/register.go"),
        source!("external-secrets", "upstream/pkg/generator/register/register.go"),
    ],
    package: ".",
    kubernetes_version: false,
    assets: &[],
    // Its reconcilers import every provider and every generator by two packages, which only a copy can replace.
    upstream: Some(Upstream {
        module: "github.com/external-secrets/external-secrets",
        version: EXTERNAL_SECRETS_VERSION,
        folders: &["apis", "cmd", "pkg"],
    }),
};

/// Certificates, by CA and self-signed issuers.
pub(crate) const CERT_MANAGER: GoModule = GoModule {
    name: "cert-manager",
    files: &[
        source!("cert-manager", "go.mod"),
        source!("cert-manager", "go.sum"),
        source!("cert-manager", "main.go"),
    ],
    package: ".",
    kubernetes_version: false,
    assets: &[],
    upstream: None,
};

/// Claims and composite resources of infrastructure.
pub(crate) const CROSSPLANE: GoModule = GoModule {
    name: "crossplane",
    files: &[
        source!("crossplane", "go.mod"),
        source!("crossplane", "go.sum"),
        source!("crossplane", "main.go"),
    ],
    package: ".",
    kubernetes_version: false,
    assets: &[],
    upstream: None,
};

/// The composition function that Compositions call.
pub(crate) const FUNCTION: GoModule = GoModule {
    name: "function-patch-and-transform",
    files: &[
        source!("function-patch-and-transform", "go.mod"),
        source!("function-patch-and-transform", "go.sum"),
        source!("function-patch-and-transform", "main.go"),
        source!("function-patch-and-transform", "function.go"),
        source!("function-patch-and-transform", "input.go"),
    ],
    package: ".",
    kubernetes_version: false,
    assets: &[],
    upstream: None,
};

/// Renders and installs charts.
pub(crate) const HELM: GoModule = GoModule {
    name: "helm",
    files: &[source!("helm", "go.mod"), source!("helm", "go.sum")],
    package: "helm.sh/helm/v3/cmd/helm",
    kubernetes_version: false,
    assets: &[],
    upstream: None,
};
