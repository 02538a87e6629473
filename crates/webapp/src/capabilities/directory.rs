//! Which capabilities there are, and the connections to them.

use std::{
    collections::BTreeMap,
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use idp_core::capability::SectionRequest;
use idp_rpc::capability as rpc;
use idp_runtime::{
    Peer,
    grpc::{Credentials, TlsError},
};
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Answer, probes::Probes};

/// Label of the Services of capabilities: the capability's name.
pub const CAPABILITY: &str = "idp.dev/capability";
/// How often a stream that broke is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a capability may be away before those who need it are told: less is a restart.
const PATIENCE: u32 = 10;
/// How often the directory is compared with the streams.
const COMPARE: Duration = Duration::from_secs(2);

/// Where a capability answers: `[SERVER@]HOST:PORT`. SERVER is the name in its certificate; without it, HOST is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Name of the capability.
    pub capability: String,
    /// Name in its certificate.
    pub server: String,
    /// `host:port`.
    pub address: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "write NAME=[SERVER@]HOST:PORT, such as secrets=idp-secrets-bridge@127.0.0.1:9443, not {text:?}"
            )
        };
        let (capability, place) = text.split_once('=').ok_or_else(wrong)?;
        let (server, address) = match place.split_once('@') {
            Some((server, address)) => (Some(server), address),
            None => (None, place),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        if capability.is_empty() || host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        Ok(Self {
            capability: capability.to_owned(),
            server: server.unwrap_or(host).to_owned(),
            address: address.to_owned(),
        })
    }
}

/// Of a Service of a capability: where it answers.
pub fn service(object: &DynamicObject) -> Value {
    let metadata = &object.metadata;
    let address = || {
        let port = object.data["spec"]["ports"].get(0)?["port"].as_u64()?;
        let host = format!(
            "{}.{}.svc",
            metadata.name.as_deref()?,
            metadata.namespace.as_deref()?
        );
        Some(Address {
            capability: metadata.labels.as_ref()?.get(CAPABILITY)?.clone(),
            address: format!("{host}:{port}"),
            server: host,
        })
    };
    serde_json::to_value(address()).unwrap_or_default()
}

/// The capabilities of this cluster.
#[derive(Clone, Default)]
pub struct Capabilities {
    state: Arc<Mutex<State>>,
    probes: Probes,
}

/// Namespace of the platform, unless the arguments say another.
const PLATFORM: &str = "idp-system";

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
            namespace: PLATFORM.to_owned(),
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
                tracing::info!(%error, "without certificates, no capability is asked");
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(credentials) = credentials.clone() {
            tokio::spawn(credentials.keep_current());
        }
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

    /// Takes over what the cluster's Services say, each with its namespace.
    pub fn found(&self, services: impl IntoIterator<Item = (String, Address)>) {
        let mut state = self.lock();
        let ours = services
            .into_iter()
            .filter(|(namespace, _)| *namespace == state.namespace);
        state.found = ours.map(|(_, address)| address).collect();
    }

    /// Names of the capabilities that there are.
    pub fn names(&self) -> Vec<String> {
        let state = self.lock();
        let names = state.all().map(|address| address.capability.clone());
        names.collect()
    }

    /// What the capability says of a section; `None` where there is no such capability.
    pub async fn ask(&self, capability: &str, request: &SectionRequest) -> Option<Answer> {
        let peer = self.peer(capability)?;
        let silence = |since: jiff::Timestamp| Answer::Silence {
            since: since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        let _probe = match (peer.silent_since(), self.probes.take(capability)) {
            (Some(since), None) => return Some(silence(since)),
            (_, probe) => probe,
        };
        let answer = peer.call(|channel| rpc::plan(channel, request)).await;
        Some(match answer {
            Ok(plan) => Answer::Plan(plan),
            Err(status) => match peer.silent_since() {
                Some(since) => silence(since),
                None => Answer::Failure(status.message().to_owned()),
            },
        })
    }

    /// What becomes stale: a capability, and the namespaces concerned (none: all).
    pub fn stale(&self) -> BoxStream<'static, (String, Vec<String>)> {
        let (sender, receiver) = mpsc::channel(64);
        let all = self.clone();
        tokio::spawn(async move {
            let mut listening: BTreeMap<String, tokio::task::JoinHandle<()>> = BTreeMap::new();
            while !sender.is_closed() {
                for name in all.names() {
                    listening
                        .entry(name.clone())
                        .or_insert_with(|| tokio::spawn(listen(all.clone(), name, sender.clone())));
                }
                listening.retain(|_, listener| !listener.is_finished());
                tokio::time::sleep(COMPARE).await;
            }
        });
        futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|stale| (stale, receiver))
        })
        .boxed()
    }

    fn peer(&self, capability: &str) -> Option<Peer> {
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
            .inspect_err(|error| tracing::error!(capability, %error, "the capability cannot be asked"))
            .ok()?;
        state.peers.insert(capability.to_owned(), (address, peer.clone()));
        Some(peer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is given by hand comes first.
    fn all(&self) -> impl Iterator<Item = &Address> {
        self.fixed.iter().chain(&self.found)
    }
}

/// Listens to one capability until it is not there any more. Whoever begins to listen has missed what was said
/// before, and so has whoever listens again.
async fn listen(all: Capabilities, name: String, sender: mpsc::Sender<(String, Vec<String>)>) {
    let mut failures = 0;
    while let Some(peer) = all.peer(&name) {
        if let Ok(stream) = peer.open(rpc::watch).await {
            failures = 0;
            if sender.send((name.clone(), Vec::new())).await.is_err() {
                return;
            }
            let mut stream = std::pin::pin!(stream);
            while let Some(Ok(namespaces)) = stream.next().await {
                if sender.send((name.clone(), namespaces)).await.is_err() {
                    return;
                }
            }
        }
        failures += 1;
        if failures == PATIENCE && sender.send((name.clone(), Vec::new())).await.is_err() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
    // It went: whoever needs it must learn that.
    let _ = sender.send((name, Vec::new())).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses() {
        let address: Address = "secrets=idp-secrets-bridge@127.0.0.1:9443".parse().unwrap();
        assert_eq!(
            (
                address.capability.as_str(),
                address.server.as_str(),
                address.address.as_str()
            ),
            ("secrets", "idp-secrets-bridge", "127.0.0.1:9443")
        );
        assert_eq!(
            "mail=mail.idp-system.svc:9443".parse::<Address>().unwrap().server,
            "mail.idp-system.svc"
        );
        for wrong in ["secrets", "=a:1", "secrets=a", "secrets=a:b", "secrets=:1"] {
            assert!(wrong.parse::<Address>().unwrap_err().contains("NAME="), "{wrong}");
        }
    }

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
