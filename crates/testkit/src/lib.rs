//! Fixtures and the shared test clusters. A dev-dependency only.
//!
//! Tests share the embedded cluster `test`, which has a real node and fake ones; each test has its own namespaces.
//! `cargo xtask test` starts the cluster before the tests and stops it after them. A test run by hand starts it too, and
//! leaves it running for the next one. Tests that count requests of a controller, or kill it, use the cluster `alone`,
//! which has fake nodes only. The real peers run beside the cluster `peers`. Tests that stop External Secrets or LocalStack,
//! or count requests beside them, use the cluster `outages`; those of certificates use `certificates`, with cert-manager
//! alone. Clusters work side by side: those whose tests take longest have one to themselves.

pub mod audit;
pub mod chart;
pub mod cli;
mod cluster;
pub mod compare;
mod controller;
pub mod fixtures;
pub mod golden;
mod image;
mod localstack;
pub mod rights;
pub mod stub;
mod wait;

pub use cluster::{
    ALONE, CERTIFICATES, CLUSTER, NAMESPACE, OUTAGES, PEERS, TestCluster, platform_manifests, root,
};
pub use controller::{Controller, program};
pub use idp_cluster::SecretsManager;
pub use image::{SAMPLE_IMAGE, build_sample, load_controller_image, load_sample_image};
pub use localstack::SECRET_STORE;
pub use wait::{eventually, eventually_within, stays};
