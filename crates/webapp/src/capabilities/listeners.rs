//! Changes that capabilities announce: one stream for each capability, merged into one.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use idp_rpc::capability as rpc;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::Interval,
};

use super::Capabilities;

/// Time between two attempts to open a stream.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Failed attempts after which applications learn that a capability is unreachable: fewer are a restart.
const MAX_FAILURES: u32 = 10;
/// How often the listeners are compared with the known capabilities.
const COMPARE_INTERVAL: Duration = Duration::from_secs(2);

/// Every change of a capability, with the namespaces concerned (none: all). Also keeps the certificates current. All of it
/// runs while the stream is read; a panic in a listener surfaces in the stream.
pub fn changes(all: &Capabilities) -> BoxStream<'static, (String, Vec<String>)> {
    let (sender, receiver) = mpsc::channel(64);
    let listeners = Listeners {
        all: all.clone(),
        compare: tokio::time::interval(COMPARE_INTERVAL),
        listening: BTreeMap::new(),
        running: JoinSet::new(),
        certificates: match all.credentials() {
            Some(credentials) => credentials.keep_current().boxed(),
            None => futures::future::pending().boxed(),
        },
        sender,
        receiver,
    };
    futures::stream::unfold(listeners, |mut listeners| async move {
        let change = listeners.next().await?;
        Some((change, listeners))
    })
    .boxed()
}

/// One task for each capability's stream of changes. Dropped, all tasks end.
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
    /// The next change. Every branch is cancel-safe.
    async fn next(&mut self) -> Option<(String, Vec<String>)> {
        loop {
            tokio::select! {
                change = self.receiver.recv() => return change,
                _ = self.compare.tick() => self.start_listeners(),
                Some(ended) = self.running.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = &mut self.certificates => return None,
            }
        }
    }

    fn start_listeners(&mut self) {
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

/// Listens to one capability until it is gone. Changes before the stream was open are missed, so each time it opens counts as
/// a change for all namespaces.
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
        if failures == MAX_FAILURES && sender.send((name.clone(), Vec::new())).await.is_err() {
            return;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
    // The capability is gone: requeue all applications that use it.
    let _ = sender.send((name, Vec::new())).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::Address;

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
        all.found(names.iter().map(|name| address(name)));
        all
    }

    #[tokio::test(start_paused = true)]
    async fn listeners_live_as_long_as_somebody_listens_to_them() {
        let all = all_of(&["mail", "queues"]);
        let mut changes = changes(&all);
        // Without certificates there is no connection: each listener ends, and announces that.
        let mut announced = [changes.next().await.unwrap().0, changes.next().await.unwrap().0];
        announced.sort();
        assert_eq!(announced, ["mail", "queues"]);
        let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        drop(changes);
        tokio::task::yield_now().await;
        let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert!(after <= before && after == 0, "{after} tasks outlive the stream");
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a fault of a listener")]
    async fn a_listener_that_panics_is_not_forgotten() {
        let (sender, receiver) = mpsc::channel(1);
        let mut listeners = Listeners {
            all: Capabilities::default(),
            compare: tokio::time::interval(COMPARE_INTERVAL),
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
