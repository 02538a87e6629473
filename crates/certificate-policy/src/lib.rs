//! The certificate policy controller: who may have which certificates, and the certificates of applications.

pub mod content;
pub mod csr;
pub mod duration;
pub mod names;
pub mod rules;
