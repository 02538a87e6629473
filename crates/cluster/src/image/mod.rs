//! Container images without a container engine: building archives, and loading them into nodes.

pub(crate) mod archive;
pub(crate) mod load;
pub(crate) mod reference;
