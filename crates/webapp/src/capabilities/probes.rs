//! One call at a time to an unreachable capability. Each call takes its whole timeout: if every application that needs the
//! capability called it, no worker would be left for the others.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The capabilities that are being called.
#[derive(Clone, Default)]
pub(super) struct Probes {
    called: Arc<Mutex<BTreeSet<String>>>,
}

impl Probes {
    /// The right to call an unreachable capability, until it is dropped. `None` while another caller has it.
    pub(super) fn take(&self, capability: &str) -> Option<Probe> {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        called.insert(capability.to_owned()).then(|| Probe {
            all: self.clone(),
            capability: capability.to_owned(),
        })
    }
}

/// The right to call.
pub(super) struct Probe {
    all: Probes,
    capability: String,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut called = self.all.called.lock().unwrap_or_else(PoisonError::into_inner);
        called.remove(&self.capability);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_at_a_time() {
        let probes = Probes::default();
        let first = probes.take("mail");
        assert!(first.is_some() && probes.take("mail").is_none());
        assert!(probes.take("secrets").is_some(), "each capability has its own");
        drop(first);
        assert!(probes.take("mail").is_some());
    }
}
