//! The projects that the platform works with: their resource definitions, and which of them can run as add-ons.

pub(crate) mod addon;
pub(crate) mod definitions;
pub(crate) mod peer;
