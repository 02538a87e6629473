//! Starting daemons, identifying their processes, and checking their health.

pub(crate) mod daemon;
pub(crate) mod go;
pub(crate) mod http;
pub(crate) mod identity;
