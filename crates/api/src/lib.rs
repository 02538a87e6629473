//! The platform's custom resources, group `idp.dev`, version `v1alpha1`.
//!
//! Types, schemas, CEL rules and printer columns; no behaviour. The manifests in
//! `platform/crds/` are generated from here by `cargo xtask generate`.

// KubeSchema repeats each struct, with its `pub`, inside a function body.
#![allow(unreachable_pub)]
// Printer columns are several attributes of the same form, which clippy reports as duplicates.
#![allow(clippy::duplicated_attributes)]

pub mod allowed_hosts;
pub mod binding;
mod bounds;
pub mod capability_binding;
pub mod certificate_binding;
pub mod certificate_policy;
pub mod claim_binding;
pub mod claim_class;
pub mod environment;
pub mod generated;
pub mod kinds;
pub mod manifests;
mod schema;
pub mod secret_binding;
pub mod web_application;

pub use allowed_hosts::{AllowedHosts, AllowedHostsSpec};
pub use capability_binding::{CapabilityBinding, CapabilityBindingSpec};
pub use certificate_binding::{CertificateBinding, CertificateBindingSpec, CertificateBindingStatus};
pub use certificate_policy::{CertificatePolicy, CertificatePolicySpec, CertificatePolicyStatus};
pub use claim_binding::{ClaimBinding, ClaimBindingSpec, ClaimBindingStatus};
pub use claim_class::{ClaimClass, ClaimClassSpec, ClaimClassStatus};
pub use environment::{Environment, EnvironmentSpec};
pub use secret_binding::{SecretBinding, SecretBindingSpec, SecretBindingStatus};
pub use web_application::{WebApplication, WebApplicationSpec, WebApplicationStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every resource of the platform.
pub const GROUP: &str = "idp.dev";
/// Version of every resource of the platform.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all our resources, in the order in which they are installed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let all = vec![
        Environment::crd(),
        WebApplication::crd(),
        CapabilityBinding::crd(),
        SecretBinding::crd(),
        ClaimClass::crd(),
        ClaimBinding::crd(),
        CertificatePolicy::crd(),
        CertificateBinding::crd(),
        AllowedHosts::crd(),
    ];
    all.into_iter().map(bounds::bounded).collect()
}
