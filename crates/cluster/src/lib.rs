//! Local clusters: the embedded one (real control plane, real or KWOK nodes), kind, or an existing context.
//!
//! The embedded cluster is a set of ordinary processes: etcd and the Kubernetes programs, built once from their
//! Go modules and cached outside the work tree. With root and a few Debian packages it has a real node, which runs
//! real pods; without, KWOK plays nodes that run fake ones. [`up`] returns when the cluster answers, and its
//! processes live on until [`down`], which leaves nothing behind but the data, and not even that when purged.
//!
//! Several clusters can run at the same time under different names.

mod addon;
mod addons;
mod addresses;
mod apply;
mod cache;
mod certs;
mod cgroup;
mod cluster;
mod companion;
mod component;
mod control_plane;
mod crds;
mod daemon;
mod down;
mod gobuild;
mod gomodules;
mod helm;
mod http;
mod identity;
mod image;
mod kubeconfig;
mod kwok;
mod leftovers;
mod load;
mod mounts;
mod network;
mod node;
mod packages;
mod pods;
mod process;
mod progress;
mod provider;
mod python;
mod secrets_manager;
mod start;
mod state;
mod sysctl;
mod up;

pub use addon::{Addon, Generation};
pub use apply::{FIELD_MANAGER, Manifest, apply_manifests};
pub use cache::Cache;
pub use cluster::{Cluster, ComponentStatus, addons, list, status};
pub use companion::{Controller, controller_certificates, start_controllers};
pub use component::{start_component, stop_component};
pub use crds::{Peer, published};
pub use down::{Purge, down};
pub use helm::helm;
pub use identity::controller_kubeconfig;
pub use image::{Image, ImageFile};
pub use load::{load_archive, load_image};
pub use packages::{can_run_real_node, install_packages, missing_packages};
pub use progress::{Event, Progress};
pub use provider::Provider;
pub use secrets_manager::SecretsManager;
pub use up::{Nodes, UpOptions, up};

/// The name of the cluster that is meant when none is named.
pub const DEFAULT_NAME: &str = "idp";
