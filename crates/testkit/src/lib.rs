//! Fixtures and the shared test cluster. A dev-dependency only.
//!
//! All tests of a run share one embedded cluster, `test`, with a real node and fake ones; each test has namespaces
//! of its own. `cargo xtask test` starts the cluster before the tests and stops it after them; a single test started
//! by hand starts it too, and leaves it running for the next one. Tests that count what a controller does, or kill
//! it, have a second cluster, `alone`, which has fake nodes only. The real peers of
//! the platform run beside a third, `peers`, and Crossplane 2 beside a fourth, `peers2`. Tests that take a peer away, or
//! count what is asked beside peers, have a fifth, `outages`.

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

pub use cluster::{ALONE, CLUSTER, NAMESPACE, OUTAGES, PEERS, PEERS2, TestCluster, platform_manifests, root};
pub use controller::{Controller, program};
pub use idp_cluster::SecretsManager;
pub use image::{SAMPLE_IMAGE, build_sample, load_controller_image, load_sample_image};
pub use localstack::SECRET_STORE;
pub use wait::{eventually, eventually_within, stays};
