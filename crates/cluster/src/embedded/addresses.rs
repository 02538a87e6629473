//! The addresses, names and ports of a cluster, all derived from one small number.
//!
//! Several clusters run side by side. Each holds an index, and everything on the machine that two of them
//! could fight over (networks, interface, control group, ports) follows from it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// How many clusters one machine can hold.
pub(crate) const MAX_CLUSTERS: u8 = 32;

const FIRST_PORT: u16 = 21_000;
const PORTS_A_CLUSTER: u16 = 16;
/// Past every cluster's own block, so that a fallback never takes another cluster's port.
const BEYOND: u16 = FIRST_PORT + MAX_CLUSTERS as u16 * PORTS_A_CLUSTER;

/// A cluster's number on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Index(pub(crate) u8);

impl Index {
    /// The host's end of the link to the cluster's network. The API server listens here when pods must reach it.
    pub(crate) fn host_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 64 + self.0, 255, 1)
    }

    /// The node's own address, the other end of that link.
    pub(crate) fn node_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 64 + self.0, 255, 2)
    }

    /// Everything that lives behind the link.
    pub(crate) fn cluster_cidr(self) -> String {
        format!("10.{}.0.0/16", 64 + self.0)
    }

    /// Addresses of real pods; a node holds at most 110.
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

    /// Addresses that fake pods claim; nothing answers there.
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
    /// The ports of this index where free, and other free ones where not.
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

/// Gives out the ports of an index where free, and other free ones where not; none twice.
pub(crate) struct Chooser<F> {
    block: u16,
    free: F,
    /// Where the search beyond the cluster's own block goes on.
    fallback: u16,
}

impl Chooser<fn(u16) -> bool> {
    /// Of the ports that nobody listens on at loopback.
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

    /// The port at `offset` (below 16) of the cluster's block, or a free one beyond all blocks.
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
            None => bail!("no free TCP port from {BEYOND} to {}", BEYOND + 2000),
        }
    }
}

fn is_free(address: Ipv4Addr, port: u16) -> bool {
    match TcpListener::bind((address, port)) {
        Ok(_) => true,
        // The link's address does not exist before the first start: then nobody listens there either.
        Err(error) => error.kind() == std::io::ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_share_no_address() {
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
    fn ports_are_the_same_each_time_and_avoid_taken_ones() {
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
