//! The platform's custom resources, group `idp.dev`, version `v1alpha1`.
//!
//! Types, schemas, CEL rules and printer columns, and nothing that acts. The manifests in
//! `platform/crds/` are generated from here by `cargo xtask generate`.

// KubeSchema repeats each struct, with its `pub`, inside a function body.
#![allow(unreachable_pub)]
// Printer columns are several attributes of the same form, which clippy takes for one said twice.
#![allow(clippy::duplicated_attributes)]

pub mod environment;
pub mod generated;
pub mod kinds;
pub mod manifests;
mod schema;
pub mod web_application;

pub use environment::{Environment, EnvironmentSpec};
pub use web_application::{WebApplication, WebApplicationSpec, WebApplicationStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every resource of the platform.
pub const GROUP: &str = "idp.dev";
/// Version of every resource of the platform.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all our resources, in the order in which they are installed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![Environment::crd(), WebApplication::crd()]
}
