//! Add-ons: peers of the platform that can run with an embedded cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::build::go::GoModule;
use crate::build::modules::{CERT_MANAGER, CROSSPLANE, EXTERNAL_SECRETS, FUNCTION};
use crate::peers::peer::Peer;

/// A peer of the platform that runs with an embedded cluster, as processes on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Addon {
    /// A simulated AWS: Secrets Manager, IAM and STS on loopback.
    LocalStack,
    /// The External Secrets Operator. It uses [`Addon::LocalStack`] as AWS if both run.
    ExternalSecrets,
    /// cert-manager without its approver: another controller must approve certificate requests.
    CertManager,
    /// Crossplane 2, with the function that its Compositions call.
    Crossplane,
}

impl Addon {
    /// All add-ons in the order of their start: LocalStack before those that get its address.
    pub const ALL: [Self; 4] = [
        Self::LocalStack,
        Self::ExternalSecrets,
        Self::CertManager,
        Self::Crossplane,
    ];

    /// The name that [`Addon::from_str`] parses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalStack => "localstack",
            Self::ExternalSecrets => "external-secrets",
            Self::CertManager => "cert-manager",
            Self::Crossplane => "crossplane",
        }
    }

    /// The peer whose definitions it needs.
    pub(crate) fn peer(self) -> Option<Peer> {
        match self {
            Self::LocalStack => None,
            Self::ExternalSecrets => Some(Peer::ExternalSecrets),
            Self::CertManager => Some(Peer::CertManager),
            Self::Crossplane => Some(Peer::Crossplane),
        }
    }

    /// Its Go programs.
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

/// The add-ons that a cluster has and those that are requested, in the order of their start, each once.
pub(crate) fn merged(present: &[Addon], requested: &[Addon]) -> Vec<Addon> {
    let mut merged: Vec<Addon> = Addon::ALL.to_vec();
    merged.retain(|addon| present.contains(addon) || requested.contains(addon));
    merged
}

/// The definitions for a cluster with these add-ons: those requested, and those that the add-ons need.
pub(crate) fn peers(requested: &[Peer], addons: &[Addon]) -> Vec<Peer> {
    let mut peers = requested.to_vec();
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
    fn names_are_parsed_and_others_are_rejected_with_the_list() {
        for addon in Addon::ALL {
            assert_eq!(addon.name().parse(), Ok(addon));
        }
        let error = "vault".parse::<Addon>().unwrap_err();
        assert!(
            error.contains("\"vault\"") && error.contains("crossplane"),
            "{error}"
        );
    }

    #[test]
    fn existing_addons_stay_and_the_order_is_that_of_the_start() {
        let merged = merged(
            &[Addon::ExternalSecrets],
            &[Addon::LocalStack, Addon::ExternalSecrets],
        );
        assert_eq!(merged, [Addon::LocalStack, Addon::ExternalSecrets]);
    }

    #[test]
    fn an_addon_that_is_present_and_requested_starts_once() {
        assert_eq!(
            merged(&[Addon::Crossplane], &[Addon::Crossplane]),
            [Addon::Crossplane]
        );
    }

    #[test]
    fn the_definitions_of_an_addon_are_added_once() {
        assert_eq!(peers(&Peer::ALL, &[Addon::Crossplane]), Peer::ALL);
        assert_eq!(super::peers(&[], &[Addon::CertManager]), [Peer::CertManager]);
    }
}
