//! What an object is to us: its identity, its scope, the fields that we own, and how it is read.

pub(crate) mod identity;
pub(crate) mod managed_fields;
pub(crate) mod parent;
pub mod reading;
pub(crate) mod scope;
pub(crate) mod version;
