//! Reads the caches: policies -> [`Observed`].

use crate::{
    rules::Policy,
    shared_cache::{self, SharedCache},
};

/// What `AllowedHosts` depends on besides the Environment.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// All policies.
    pub policies: Vec<Policy>,
}

pub(super) fn observe(shared: &SharedCache) -> Observed {
    Observed {
        policies: shared_cache::policies(shared),
    }
}
