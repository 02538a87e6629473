//! The capabilities of the cluster, and the connections to them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use idp_core::capability::SectionRequest;
use idp_rpc::capability as rpc;
use idp_runtime::{
    Peer,
    grpc::{Credentials, TlsError},
};

use super::{Address, Answer, probes::Probes};

/// The capabilities of this cluster.
#[derive(Clone, Default)]
pub struct Capabilities {
    state: Arc<Mutex<State>>,
    probes: Probes,
}

/// Namespace of the platform's controllers, by default.
const PLATFORM_NAMESPACE: &str = "idp-system";

struct State {
    namespace: String,
    credentials: Option<Credentials>,
    fixed: Vec<Address>,
    found: Vec<Address>,
    peers: BTreeMap<String, (Address, Peer)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            namespace: PLATFORM_NAMESPACE.to_owned(),
            credentials: None,
            fixed: Vec::new(),
            found: Vec::new(),
            peers: BTreeMap::new(),
        }
    }
}

impl Capabilities {
    /// With certificates from `folder`, and these addresses besides those of Services in `namespace`: only the
    /// platform's own namespace may add capabilities.
    ///
    /// # Errors
    /// When addresses are given and the certificates cannot be read.
    pub fn new(folder: &Path, namespace: &str, fixed: Vec<Address>) -> Result<Self, TlsError> {
        let credentials = match Credentials::load(folder) {
            Ok(credentials) => Some(credentials),
            Err(error) if fixed.is_empty() => {
                tracing::info!(%error, "Cannot read the certificates. Capabilities are not called.");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            state: Arc::new(Mutex::new(State {
                namespace: namespace.to_owned(),
                credentials,
                fixed,
                ..State::default()
            })),
            probes: Probes::default(),
        })
    }

    /// Selects the Services that can be capabilities. Called once a process: the text is kept for ever.
    pub fn field_selector(&self) -> &'static str {
        format!("metadata.namespace={}", self.lock().namespace).leak()
    }

    /// Replaces the addresses found by those of the cluster's Services, each with its namespace.
    pub fn found(&self, services: impl IntoIterator<Item = (String, Address)>) {
        let mut state = self.lock();
        let ours = services
            .into_iter()
            .filter(|(namespace, _)| *namespace == state.namespace);
        state.found = ours.map(|(_, address)| address).collect();
    }

    /// Names of all known capabilities.
    pub fn names(&self) -> Vec<String> {
        let state = self.lock();
        let names = state.all().map(|address| address.capability.clone());
        names.collect()
    }

    /// Calls the capability for the plan of a section. `None` if there is no such capability.
    pub async fn plan(&self, capability: &str, request: &SectionRequest) -> Option<Answer> {
        let peer = self.peer(capability)?;
        let unreachable = |since: jiff::Timestamp| Answer::Unreachable {
            since: since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        let _probe = match (peer.unreachable_since(), self.probes.take(capability)) {
            (Some(since), None) => return Some(unreachable(since)),
            (_, probe) => probe,
        };
        let response = peer.call(|channel| rpc::plan(channel, request)).await;
        Some(match response {
            Ok(plan) => Answer::Plan(plan),
            Err(status) => match peer.unreachable_since() {
                Some(since) => unreachable(since),
                None => Answer::Failed(status.message().to_owned()),
            },
        })
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.lock().credentials.clone()
    }

    /// The connection to a capability; `None` if it is not known or there are no certificates.
    pub(super) fn peer(&self, capability: &str) -> Option<Peer> {
        let mut state = self.lock();
        let address = state
            .all()
            .find(|address| address.capability == capability)?
            .clone();
        if let Some((known, peer)) = state.peers.get(capability)
            && *known == address
        {
            return Some(peer.clone());
        }
        let credentials = state.credentials.clone()?;
        let peer = Peer::new(capability, &address.address, &address.server, &credentials)
            .inspect_err(|error| tracing::error!(capability, %error, "Cannot connect to the capability."))
            .ok()?;
        state.peers.insert(capability.to_owned(), (address, peer.clone()));
        Some(peer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Addresses from arguments come first.
    fn all(&self) -> impl Iterator<Item = &Address> {
        self.fixed.iter().chain(&self.found)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::capabilities::{CAPABILITY, service};

    #[test]
    fn only_the_platforms_namespace_adds_capabilities() {
        let found = |namespace: &str| -> (String, Address) {
            let object = serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "mail", "namespace": namespace, "labels": {CAPABILITY: "mail"}},
                "spec": {"ports": [{"port": 9443}]},
            }));
            let address = Address::deserialize(service(&object.unwrap())).unwrap();
            (namespace.to_owned(), address)
        };
        let all = Capabilities::default();
        all.lock().namespace = "idp-system".into();
        all.found([found("shop")]);
        assert!(all.names().is_empty());
        all.found([found("shop"), found("idp-system")]);
        assert_eq!(all.lock().found[0].address, "mail.idp-system.svc:9443");
    }
}
