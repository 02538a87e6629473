//! Which test binaries may run side by side: those of one cluster run one after the other, because they stop its peers,
//! change its Environment and count its requests; those of different clusters do not know of each other.

use std::collections::VecDeque;

use anyhow::{Result, bail};
use idp_testkit::{ALONE, CLUSTER, OUTAGES, PEERS, PEERS2};

use super::binaries::Binary;

/// The clusters, the one whose tests take longest first, and the names of the test targets that use each.
const LANES: [(&str, &[&str]); 5] = [
    (
        PEERS,
        &[
            "cluster_peers",
            "cluster_secrets",
            "cluster_certificates",
            "cluster_capabilities",
        ],
    ),
    (OUTAGES, &["cluster_secrets_faults"]),
    (ALONE, &["cluster_alone"]),
    // The last counts what the machine has before and after a cluster, which other real nodes would change.
    (CLUSTER, &["cluster", "cluster_driver", "cluster_lifecycle"]),
    (PEERS2, &["cluster_peers2"]),
];

/// Binaries that are still to be run, by the cluster that they use.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Binary>,
    busy: bool,
}

/// A binary whose turn it is. Its lane is closed until it is done.
pub(crate) struct Turn {
    /// What is to be run.
    pub(crate) binary: Binary,
    lane: usize,
}

impl Lanes {
    /// Sorts binaries into lanes; those that use no cluster come last.
    ///
    /// # Errors
    /// When a target has the name of a cluster's test and no lane.
    pub(crate) fn of(binaries: Vec<Binary>) -> Result<Self> {
        let mut lanes = Self {
            lanes: LANES.iter().map(|_| Lane::default()).collect(),
        };
        let mut free = Vec::new();
        for binary in binaries {
            let target = binary.target.as_str();
            match LANES.iter().position(|(_, targets)| targets.contains(&target)) {
                Some(lane) => lanes.lanes[lane].waiting.push_back(binary),
                None if target.starts_with("cluster") => bail!(
                    "which cluster does the test {target} use? Say so in LANES of crates/xtask/src/test/lanes.rs"
                ),
                None => free.push(binary),
            }
        }
        // Each a lane of its own: they wait for nobody.
        lanes.lanes.extend(free.into_iter().map(|binary| Lane {
            waiting: [binary].into(),
            busy: false,
        }));
        Ok(lanes)
    }

    /// The next binary that may run. None: whoever is busy takes what is left.
    pub(crate) fn take(&mut self) -> Option<Turn> {
        let mut lanes = self.lanes.iter_mut().enumerate();
        lanes.find_map(|(index, lane)| {
            if lane.busy {
                return None;
            }
            let binary = lane.waiting.pop_front()?;
            lane.busy = true;
            Some(Turn { binary, lane: index })
        })
    }

    /// Opens the lane of a binary that has ended.
    pub(crate) fn done(&mut self, turn: &Turn) {
        self.lanes[turn.lane].busy = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(targets: &[&str]) -> Result<Lanes> {
        let binary = |target: &&str| Binary {
            target: (*target).to_owned(),
            folder: "x".into(),
            program: "x".into(),
        };
        Lanes::of(targets.iter().map(binary).collect())
    }

    #[test]
    fn tests_of_one_cluster_wait_for_each_other() {
        let mut lanes = lanes(&["idp_core", "cluster_secrets", "cluster_peers", "cluster_alone"]).unwrap();
        let take = |lanes: &mut Lanes| lanes.take().map(|turn| (turn.binary.target.clone(), turn));
        let (first, turn) = take(&mut lanes).unwrap();
        assert_eq!(first, "cluster_secrets");
        assert_eq!(take(&mut lanes).unwrap().0, "cluster_alone");
        assert_eq!(take(&mut lanes).unwrap().0, "idp_core");
        assert!(take(&mut lanes).is_none(), "its cluster is busy");
        lanes.done(&turn);
        assert_eq!(take(&mut lanes).unwrap().0, "cluster_peers");
        assert!(take(&mut lanes).is_none());
    }

    #[test]
    fn a_cluster_that_nobody_named_is_asked_for() {
        let error = lanes(&["cluster_new"]).err().unwrap().to_string();
        assert!(error.contains("cluster_new"), "{error}");
    }
}
