//! Which capabilities there are, and the connections to them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use idp_core::capability::SectionRequest;
use idp_rpc::capability as rpc;
use idp_runtime::{
    Peer,
    grpc::{Credentials, TlsError},
};
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::Interval,
};

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
        let _probe = match (peer.unreachable_since(), self.probes.take(capability)) {
            (Some(since), None) => return Some(silence(since)),
            (_, probe) => probe,
        };
        let answer = peer.call(|channel| rpc::plan(channel, request)).await;
        Some(match answer {
            Ok(plan) => Answer::Plan(plan),
            Err(status) => match peer.unreachable_since() {
                Some(since) => silence(since),
                None => Answer::Failure(status.message().to_owned()),
            },
        })
    }

    /// What becomes stale: a capability, and the namespaces concerned (none: all). It also keeps the certificates current.
    /// All of it runs for as long as somebody takes from the stream, and its faults are the stream's: nothing dies unseen.
    pub fn stale(&self) -> BoxStream<'static, (String, Vec<String>)> {
        let (sender, receiver) = mpsc::channel(64);
        let credentials = self.lock().credentials.clone();
        let listeners = Listeners {
            all: self.clone(),
            compare: tokio::time::interval(COMPARE),
            listening: BTreeMap::new(),
            running: JoinSet::new(),
            certificates: match credentials {
                Some(credentials) => credentials.keep_current().boxed(),
                None => futures::future::pending().boxed(),
            },
            sender,
            receiver,
        };
        futures::stream::unfold(listeners, |mut listeners| async move {
            let stale = listeners.next().await?;
            Some((stale, listeners))
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

/// Who listens to the capabilities. Dropped, they all end.
struct Listeners {
    all: Capabilities,
    compare: Interval,
    /// The task of each capability.
    listening: BTreeMap<String, AbortHandle>,
    running: JoinSet<()>,
    certificates: BoxFuture<'static, ()>,
    sender: mpsc::Sender<(String, Vec<String>)>,
    receiver: mpsc::Receiver<(String, Vec<String>)>,
}

impl Listeners {
    /// What becomes stale next. Every branch may be dropped and taken up again.
    async fn next(&mut self) -> Option<(String, Vec<String>)> {
        loop {
            tokio::select! {
                stale = self.receiver.recv() => return stale,
                _ = self.compare.tick() => self.listen_to_all(),
                Some(ended) = self.running.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = &mut self.certificates => return None,
            }
        }
    }

    fn listen_to_all(&mut self) {
        self.listening.retain(|_, listener| !listener.is_finished());
        for name in self.all.names() {
            let Entry::Vacant(entry) = self.listening.entry(name.clone()) else {
                continue;
            };
            let task = listen(self.all.clone(), name, self.sender.clone());
            entry.insert(self.running.spawn(task));
        }
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

    fn address(capability: &str) -> (String, Address) {
        let address = Address {
            capability: capability.to_owned(),
            server: "nowhere".to_owned(),
            address: "127.0.0.1:1".to_owned(),
        };
        ("idp-system".to_owned(), address)
    }

    fn all_of(names: &[&str]) -> Capabilities {
        let all = Capabilities::default();
        all.lock().namespace = "idp-system".into();
        all.found(names.iter().map(|name| address(name)));
        all
    }

    #[tokio::test(start_paused = true)]
    async fn listeners_live_as_long_as_somebody_listens_to_them() {
        let all = all_of(&["mail", "queues"]);
        let mut stale = all.stale();
        // Without certificates nobody can be asked: each listener ends, and says so.
        let mut said = [stale.next().await.unwrap().0, stale.next().await.unwrap().0];
        said.sort();
        assert_eq!(said, ["mail", "queues"]);
        let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        drop(stale);
        tokio::task::yield_now().await;
        let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert!(
            after <= before && after == 0,
            "{after} tasks run on, and nobody would learn of their end"
        );
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a fault of a listener")]
    async fn a_listener_that_panics_is_not_forgotten() {
        let (sender, receiver) = mpsc::channel(1);
        let mut listeners = Listeners {
            all: Capabilities::default(),
            compare: tokio::time::interval(COMPARE),
            listening: BTreeMap::new(),
            running: JoinSet::new(),
            certificates: futures::future::pending().boxed(),
            sender,
            receiver,
        };
        listeners.running.spawn(async { panic!("a fault of a listener") });
        listeners.next().await;
    }
}
