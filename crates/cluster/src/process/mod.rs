//! Daemons: starting them, identifying them later, checking their health.

pub(crate) mod daemon;
pub(crate) mod go;
pub(crate) mod http;
pub(crate) mod identity;
