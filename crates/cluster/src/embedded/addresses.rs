//! The addresses, names and ports of a cluster, all derived from its index.
//!
//! Several clusters can run at once. Each has its own index, which determines everything on the machine that two
//! clusters could conflict over: networks, interface, control group, ports.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// The maximum number of clusters on a machine.
pub(crate) const MAX_CLUSTERS: u8 = 32;

const FIRST_PORT: u16 = 21_000;
const PORTS_A_CLUSTER: u16 = 16;
/// After all clusters' blocks, so that a fallback never takes another cluster's port.
const BEYOND: u16 = FIRST_PORT + MAX_CLUSTERS as u16 * PORTS_A_CLUSTER;

/// A cluster's index on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Index(pub(crate) u8);

impl Index {
    /// The host's end of the link to the cluster's network. With a real node, the API server listens on it.
    pub(crate) fn host_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 64 + self.0, 255, 1)
    }

    /// The node's address, the other end of that link.
    pub(crate) fn node_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 64 + self.0, 255, 2)
    }

    /// All addresses behind the link.
    pub(crate) fn cluster_cidr(self) -> String {
        format!("10.{}.0.0/16", 64 + self.0)
    }

    /// Addresses of real pods; a node runs at most 110.
    pub(crate) fn pod_cidr(self) -> String {
        format!("10.{}.0.0/24", 64 + self.0)
    }

    pub(crate) fn service_cidr(self) -> String {
        format!("10.{}.0.0/16", 96 + self.0)
    }

    /// The address of the Service `kubernetes`.
    pub(crate) fn api_service_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 96 + self.0, 0, 1)
    }

    /// Addresses of fake pods. Nothing listens on them.
    pub(crate) fn kwok_cidr(self) -> String {
        format!("10.{}.0.0/16", 128 + self.0)
    }

    /// The host's network interface, nftables table and CNI network; also the pods' control group.
    pub(crate) fn interface(self) -> String {
        format!("idp{}", self.0)
    }

    /// Sockets and mounts of the node. Short, because a unix socket's path holds at most 107 bytes.
    pub(crate) fn run_dir(self) -> PathBuf {
        PathBuf::from(format!("/run/idp/{}", self.0))
    }
}

/// TCP ports of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) apiserver: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
    pub(crate) kwok: u16,
}

impl Ports {
    /// The ports of this index, or other free ports instead of those in use.
    pub(crate) fn choose(index: Index, bind: Ipv4Addr) -> Result<Self> {
        Self::choose_with(index, |port| {
            is_free(bind, port) && is_free(Ipv4Addr::LOCALHOST, port)
        })
    }

    fn choose_with(index: Index, free: impl Fn(u16) -> bool) -> Result<Self> {
        let mut chooser = Chooser::new(index, free);
        let mut port = |offset| chooser.port(offset);
        Ok(Self {
            apiserver: port(0)?,
            etcd: port(1)?,
            etcd_peer: port(2)?,
            controller_manager: port(3)?,
            scheduler: port(4)?,
            kwok: port(5)?,
        })
    }
}

/// Chooses the ports of an index, or other free ports instead of those in use. Chooses none twice.
pub(crate) struct Chooser<F> {
    block: u16,
    free: F,
    /// Where to continue the search after all blocks.
    fallback: u16,
}

impl Chooser<fn(u16) -> bool> {
    /// Chooses among free loopback ports.
    pub(crate) fn on_loopback(index: Index) -> Self {
        Self::new(index, |port| is_free(Ipv4Addr::LOCALHOST, port))
    }
}

impl<F: Fn(u16) -> bool> Chooser<F> {
    fn new(index: Index, free: F) -> Self {
        Self {
            block: FIRST_PORT + u16::from(index.0) * PORTS_A_CLUSTER,
            free,
            fallback: BEYOND,
        }
    }

    /// The port at `offset` (below 16) of the cluster's block, or a free port after all blocks.
    pub(crate) fn port(&mut self, offset: u16) -> Result<u16> {
        let wanted = self.block + offset;
        if (self.free)(wanted) {
            return Ok(wanted);
        }
        match (self.fallback..BEYOND + 2000).find(|port| (self.free)(*port)) {
            Some(port) => {
                self.fallback = port + 1;
                Ok(port)
            }
            None => bail!("No free TCP port from {BEYOND} to {}.", BEYOND + 2000),
        }
    }
}

fn is_free(address: Ipv4Addr, port: u16) -> bool {
    match TcpListener::bind((address, port)) {
        Ok(_) => true,
        // The link does not exist before the first start, so its ports are free.
        Err(error) => error.kind() == std::io::ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_have_distinct_addresses() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..MAX_CLUSTERS {
            let index = Index(number);
            for network in [
                index.cluster_cidr(),
                index.service_cidr(),
                index.kwok_cidr(),
                index.interface(),
            ] {
                assert!(seen.insert(network.clone()), "{network} belongs to two clusters");
            }
        }
    }

    #[test]
    fn ports_are_stable_and_avoid_those_in_use() {
        let all_free = Ports::choose_with(Index(1), |_| true).unwrap();
        assert_eq!(all_free, Ports::choose_with(Index(1), |_| true).unwrap());
        assert_eq!(all_free.apiserver, 21_016);
        let moved = Ports::choose_with(Index(1), |port| port != 21_016).unwrap();
        assert_eq!(moved.apiserver, 21_000 + 32 * 16);
        assert_eq!(moved.etcd, all_free.etcd);
    }

    #[test]
    fn a_socket_path_fits() {
        assert!(
            Index(31)
                .run_dir()
                .join("containerd/containerd.sock.ttrpc")
                .as_os_str()
                .len()
                < 108
        );
    }
}
