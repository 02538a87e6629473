//! The platform's controllers beside a cluster: their identities, and their processes.

pub(crate) mod service_account;
pub(crate) mod start;
