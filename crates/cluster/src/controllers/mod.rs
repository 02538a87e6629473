//! The platform's controllers beside a cluster: service accounts and processes.

pub(crate) mod service_account;
pub(crate) mod start;
