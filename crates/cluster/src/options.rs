//! What cluster is wanted: where it runs, its nodes, and what is in it.

use crate::DEFAULT_NAME;
use crate::embedded::node::packages::can_run_real_node;
use crate::manifests::parse::Manifest;
use crate::peers::addon::Addon;
use crate::peers::peer::Peer;

/// Where the cluster comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Provider {
    /// Run here, as processes of this machine.
    #[default]
    Embedded,
    /// kind, in a container engine.
    Kind,
    /// One that is there already.
    Existing {
        /// A context of the user's kubeconfig; the current one when absent.
        context: Option<String>,
    },
}

/// Which nodes an embedded cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// One real node, named `<cluster>-node`, which runs real pods. Needs root and some packages.
    Real,
    /// This many fake nodes, `kwok-0` and so on, labelled `type=kwok`. Needs nothing.
    Kwok(usize),
    /// Both. Only pods that tolerate `kwok.x-k8s.io/node=fake:NoSchedule` go to the fake ones.
    Both {
        /// How many fake nodes.
        kwok: usize,
    },
}

impl Nodes {
    /// The real node where this machine can run it, and three fake ones where it cannot.
    #[must_use]
    pub fn default_here() -> Self {
        if can_run_real_node() {
            Self::Real
        } else {
            Self::Kwok(3)
        }
    }

    pub(crate) fn real(self) -> bool {
        !matches!(self, Self::Kwok(_))
    }

    pub(crate) fn kwok(self) -> usize {
        match self {
            Self::Real => 0,
            Self::Kwok(count) | Self::Both { kwok: count } => count,
        }
    }
}

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// 1 to 24 of a-z, 0-9 and `-`.
    pub name: String,
    /// Where it comes from.
    pub provider: Provider,
    /// Its nodes; an embedded cluster's only.
    pub nodes: Nodes,
    /// Whose resource definitions it gets.
    pub peers: Vec<Peer>,
    /// Which of them run beside it; an embedded cluster's only. They stay with the cluster until it is purged: an `up`
    /// that names none starts those that it has.
    pub addons: Vec<Addon>,
    /// What else is applied, at each call: our own definitions, roles and so on.
    pub manifests: Vec<Manifest>,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            provider: Provider::Embedded,
            nodes: Nodes::default_here(),
            peers: Peer::ALL.to_vec(),
            addons: vec![],
            manifests: vec![],
        }
    }
}
