//! cert-manager's requests: their type, what they require of a policy, and whose they are.

pub mod csr;
pub mod ownership;
pub mod requirements;
pub mod requirements_from_spec;
pub mod types;
