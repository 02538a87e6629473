//! Options of [`crate::up`]: where the cluster runs, its nodes and its content.

use crate::DEFAULT_NAME;
use crate::embedded::node::packages::can_run_real_node;
use crate::manifests::parse::Manifest;
use crate::peers::addon::Addon;
use crate::peers::peer::Peer;

/// Where the cluster runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Provider {
    /// As processes of this machine.
    #[default]
    Embedded,
    /// In a container engine, by kind.
    Kind,
    /// An existing cluster.
    Existing {
        /// A context of the user's kubeconfig. Default: the current context.
        context: Option<String>,
    },
}

/// The nodes of an embedded cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// One real node, named `<cluster>-node`, which runs real pods. Needs root and some Debian packages.
    Real,
    /// This many fake nodes: `kwok-0`, `kwok-1` and so on, with the label `type=kwok`. No requirements.
    Kwok(usize),
    /// A real node and fake nodes. Only pods that tolerate `kwok.x-k8s.io/node=fake:NoSchedule` run on fake nodes.
    Both {
        /// Number of fake nodes.
        kwok: usize,
    },
}

impl Nodes {
    /// A real node if this machine can run one, else three fake nodes.
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

/// The cluster to start.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// Its name: 1 to 24 characters of a-z, 0-9 and `-`.
    pub name: String,
    /// Where it runs.
    pub provider: Provider,
    /// Its nodes. Only embedded clusters.
    pub nodes: Nodes,
    /// The peers whose CRDs it gets.
    pub peers: Vec<Peer>,
    /// The peers that run beside it. Only embedded clusters. A cluster keeps its add-ons until it is purged: an `up`
    /// without any starts those that it has.
    pub addons: Vec<Addon>,
    /// Manifests to apply at each call: the platform's CRDs, roles and so on.
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
