//! One question at a time to a capability that is silent. Each takes as long as the patience of whoever asks: if every
//! application that needs it asked, no worker would be left for those that do not.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Which capabilities are being asked.
#[derive(Clone, Default)]
pub(super) struct Probes {
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Probes {
    /// The right to ask a silent capability, until it is dropped; none while another has it.
    pub(super) fn take(&self, capability: &str) -> Option<Probe> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(capability.to_owned()).then(|| Probe {
            all: self.clone(),
            capability: capability.to_owned(),
        })
    }
}

/// The right to ask.
pub(super) struct Probe {
    all: Probes,
    capability: String,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut asked = self.all.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&self.capability);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_at_a_time() {
        let probes = Probes::default();
        let first = probes.take("mail");
        assert!(first.is_some() && probes.take("mail").is_none());
        assert!(probes.take("secrets").is_some(), "each capability by itself");
        drop(first);
        assert!(probes.take("mail").is_some());
    }
}
