//! Local clusters: the embedded one (real control plane, real or KWOK nodes), kind, or an existing context.
//!
//! The embedded cluster is a set of ordinary processes: etcd and the Kubernetes programs, built once from their
//! Go modules and cached outside the work tree. With root and a few Debian packages it has a real node, which runs
//! real pods; otherwise KWOK simulates nodes and pods. [`up`] returns when the cluster is ready. Its processes run
//! until [`down`], which keeps the cluster's data unless it purges the cluster.
//!
//! Several clusters can run at the same time under different names.

mod addons;
mod build;
mod cache;
mod cluster;
mod component;
mod controllers;
mod down;
mod embedded;
mod image;
mod kind;
mod manifests;
mod options;
mod peers;
mod process;
mod progress;
mod up;

pub use addons::secrets_manager::SecretsManager;
pub use build::helm::helm;
pub use cache::Cache;
pub use cluster::{Cluster, ComponentStatus, addons, list, status};
pub use component::{start_component, stop_component};
pub use controllers::service_account::controller_kubeconfig;
pub use controllers::start::{Controller, controller_certificates, start_controllers};
pub use down::{Purge, down};
pub use embedded::node::packages::{can_run_real_node, install_packages, missing_packages};
pub use image::archive::{Image, ImageFile};
pub use image::load::{load_archive, load_image};
pub use manifests::apply::{FIELD_MANAGER, apply_manifests};
pub use manifests::parse::Manifest;
pub use options::{Nodes, Provider, UpOptions};
pub use peers::addon::Addon;
pub use peers::peer::{Peer, published};
pub use progress::{Event, Progress};
pub use up::up;

/// The default name of a cluster.
pub const DEFAULT_NAME: &str = "idp";
