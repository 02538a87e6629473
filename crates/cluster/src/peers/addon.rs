//! The platform's peers that can run beside an embedded cluster: their names, and which go together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::build::go::GoModule;
use crate::build::modules::{CERT_MANAGER, CROSSPLANE, EXTERNAL_SECRETS, FUNCTION};
use crate::peers::peer::Peer;

/// A peer of the platform that runs beside an embedded cluster, as processes of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Addon {
    /// An AWS that is not there: Secrets Manager, IAM and STS on loopback.
    LocalStack,
    /// The External Secrets Operator. Beside [`Addon::LocalStack`], its AWS is that one.
    ExternalSecrets,
    /// cert-manager, without the approver: certificate requests wait for whoever approves them.
    CertManager,
    /// Crossplane 2, with the function that its Compositions call.
    Crossplane,
}

impl Addon {
    /// Every one, in the order of start: LocalStack before who is told where it listens.
    pub const ALL: [Self; 4] = [
        Self::LocalStack,
        Self::ExternalSecrets,
        Self::CertManager,
        Self::Crossplane,
    ];

    /// The name that [`Addon::from_str`] reads.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalStack => "localstack",
            Self::ExternalSecrets => "external-secrets",
            Self::CertManager => "cert-manager",
            Self::Crossplane => "crossplane",
        }
    }

    /// Whose definitions it needs.
    pub(crate) fn peer(self) -> Option<Peer> {
        match self {
            Self::LocalStack => None,
            Self::ExternalSecrets => Some(Peer::ExternalSecrets),
            Self::CertManager => Some(Peer::CertManager),
            Self::Crossplane => Some(Peer::Crossplane),
        }
    }

    /// The Go programs that it is made of.
    pub(crate) fn modules(self) -> &'static [&'static GoModule] {
        match self {
            Self::LocalStack => &[],
            Self::ExternalSecrets => &[&EXTERNAL_SECRETS],
            Self::CertManager => &[&CERT_MANAGER],
            Self::Crossplane => &[&CROSSPLANE, &FUNCTION],
        }
    }
}

impl fmt::Display for Addon {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Addon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|addon| addon.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|addon| addon.name()).collect();
            format!(
                "there is no add-on {text:?}: the add-ons are {}",
                names.join(", ")
            )
        })
    }
}

/// Those that a cluster has, and those that it is to get: in the order of start, each once.
pub(crate) fn merged(present: &[Addon], wanted: &[Addon]) -> Vec<Addon> {
    let mut merged: Vec<Addon> = Addon::ALL.to_vec();
    merged.retain(|addon| present.contains(addon) || wanted.contains(addon));
    merged
}

/// The definitions that a cluster with these add-ons gets: those asked for, and those that the add-ons bring.
pub(crate) fn peers(asked: &[Peer], addons: &[Addon]) -> Vec<Peer> {
    let mut peers = asked.to_vec();
    for peer in addons.iter().filter_map(|addon| addon.peer()) {
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_others_are_refused_with_the_list() {
        for addon in Addon::ALL {
            assert_eq!(addon.name().parse(), Ok(addon));
        }
        let refused = "vault".parse::<Addon>().unwrap_err();
        assert!(
            refused.contains("\"vault\"") && refused.contains("crossplane"),
            "{refused}"
        );
    }

    #[test]
    fn what_a_cluster_has_stays_and_order_is_that_of_start() {
        let merged = merged(
            &[Addon::ExternalSecrets],
            &[Addon::LocalStack, Addon::ExternalSecrets],
        );
        assert_eq!(merged, [Addon::LocalStack, Addon::ExternalSecrets]);
    }

    #[test]
    fn an_addon_that_is_present_and_wanted_starts_once() {
        assert_eq!(
            merged(&[Addon::Crossplane], &[Addon::Crossplane]),
            [Addon::Crossplane]
        );
    }

    #[test]
    fn an_addon_brings_its_definitions_once() {
        assert_eq!(peers(&Peer::ALL, &[Addon::Crossplane]), Peer::ALL);
        assert_eq!(super::peers(&[], &[Addon::CertManager]), [Peer::CertManager]);
    }
}
