//! Which test binaries may run side by side: those that share something that one of them stops, changes or counts run one
//! after the other; the others do not know of each other.

use anyhow::{Result, bail};

use super::binaries::Binary;

/// What tests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// The cluster `test`, and what the machine has of real nodes: `cluster_lifecycle` counts that.
    Test,
    /// The cluster `alone`.
    Alone,
    /// The cluster `peers`: some tests stop a peer, and whoever enters the cluster starts what is stopped.
    Peers,
    /// The cluster `outages`.
    Outages,
    /// The cluster `certificates`.
    Certificates,
}

/// What the tests that use a cluster share: folder of the package, target, and what. Those of the cluster that is in use
/// longest come first, then those that take longest, so that none of them is left over at the end. Those that count what a
/// controller does come before those that leave applications behind.
const USES: [(&str, &str, &[Shared]); 13] = [
    ("claim-broker", "cluster_peers", &[Shared::Peers]),
    ("webapp", "cluster_alone", &[Shared::Alone]),
    ("tests", "cluster_secrets_faults", &[Shared::Outages]),
    ("webapp", "cluster", &[Shared::Test]),
    ("certificate-policy", "cluster_peers", &[Shared::Certificates]),
    ("tests", "cluster_attacks", &[Shared::Peers]),
    ("tests", "cluster_certificates", &[Shared::Certificates]),
    ("testkit", "cluster_peers", &[Shared::Peers]),
    ("tests", "cluster_capabilities", &[Shared::Alone]),
    ("tests", "cluster_secrets", &[Shared::Outages]),
    ("tests", "cluster_charts", &[Shared::Test]),
    ("runtime", "cluster_driver", &[Shared::Test]),
    ("testkit", "cluster_lifecycle", &[Shared::Test]),
];

/// Binaries that wait for their turn.
pub(crate) struct Lanes {
    waiting: Vec<Waiting>,
    busy: Vec<Shared>,
}

struct Waiting {
    binary: Binary,
    uses: &'static [Shared],
}

/// A binary whose turn it is. What it uses is closed to others until it is done.
pub(crate) struct Turn {
    /// What is to be run.
    pub(crate) binary: Binary,
    uses: &'static [Shared],
}

impl Lanes {
    /// Puts binaries in order: those that use a cluster as listed, then the others.
    ///
    /// # Errors
    /// When a target has the name of a test that uses a cluster, and is not listed.
    pub(crate) fn of(binaries: Vec<Binary>) -> Result<Self> {
        let mut listed = Vec::new();
        let mut free = Vec::new();
        for binary in binaries {
            let package = binary.folder.file_name().unwrap_or_default();
            let place = USES
                .iter()
                .position(|(folder, target, _)| package == *folder && binary.target == *target);
            match place {
                Some(place) => listed.push((place, binary)),
                None if binary.target.starts_with("cluster") => bail!(
                    "what does the test {} of {} share with others? Say so in USES of \
                     crates/xtask/src/test/lanes.rs",
                    binary.target,
                    package.display()
                ),
                None => free.push(Waiting { binary, uses: &[] }),
            }
        }
        listed.sort_by_key(|(place, _)| *place);
        let waiting = listed.into_iter().map(|(place, binary)| Waiting {
            binary,
            uses: USES[place].2,
        });
        Ok(Self {
            waiting: waiting.chain(free).collect(),
            busy: Vec::new(),
        })
    }

    /// The next binary that may run now.
    pub(crate) fn take(&mut self) -> Option<Turn> {
        let may_run = |waiting: &Waiting| !waiting.uses.iter().any(|used| self.busy.contains(used));
        let place = self.waiting.iter().position(may_run)?;
        let Waiting { binary, uses } = self.waiting.remove(place);
        self.busy.extend(uses);
        Some(Turn { binary, uses })
    }

    /// Whether all have had their turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Opens what a binary that has ended had used.
    pub(crate) fn done(&mut self, turn: &Turn) {
        self.busy.retain(|used| !turn.uses.contains(used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(binaries: &[(&str, &str)]) -> Result<Lanes> {
        let binary = |(package, target): &(&str, &str)| Binary {
            target: (*target).to_owned(),
            folder: format!("/w/crates/{package}").into(),
            program: "x".into(),
        };
        Lanes::of(binaries.iter().map(binary).collect())
    }

    fn take(lanes: &mut Lanes) -> Option<(String, Turn)> {
        lanes.take().map(|turn| (turn.binary.target.clone(), turn))
    }

    #[test]
    fn tests_that_share_something_wait_for_each_other() {
        let mut lanes = lanes(&[
            ("core", "idp_core"),
            ("tests", "cluster_certificates"),
            ("certificate-policy", "cluster_peers"),
            ("runtime", "cluster_driver"),
        ])
        .unwrap();
        let (first, turn) = take(&mut lanes).unwrap();
        assert_eq!(first, "cluster_peers", "the longest comes first");
        assert_eq!(take(&mut lanes).unwrap().0, "cluster_driver");
        assert_eq!(take(&mut lanes).unwrap().0, "idp_core");
        assert!(
            take(&mut lanes).is_none() && !lanes.is_empty(),
            "the cluster certificates is in use"
        );
        lanes.done(&turn);
        assert_eq!(take(&mut lanes).unwrap().0, "cluster_certificates");
        assert!(lanes.is_empty());
    }

    #[test]
    fn what_a_new_test_shares_is_asked_for() {
        let error = lanes(&[("webapp", "cluster_new")]).err().unwrap().to_string();
        assert!(error.contains("cluster_new of webapp"), "{error}");
    }
}
