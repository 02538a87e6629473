//! Building and installing programs of clusters and add-ons, once for each cache.

pub(crate) mod apt;
pub(crate) mod go;
pub(crate) mod helm;
pub(crate) mod modules;
pub(crate) mod python;
pub(crate) mod versions;
