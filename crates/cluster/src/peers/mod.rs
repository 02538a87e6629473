//! The projects that the platform works with: their CRDs, and those that can run as add-ons.

pub(crate) mod addon;
pub(crate) mod definitions;
pub(crate) mod peer;
