//! The state of the Deployment.

use idp_core::{Applied, Plan};
use serde::Deserialize;

use super::concern::Concern;
use crate::{facts::DeploymentFacts, kinds::DEPLOYMENT};

/// Facts of the application's Deployment; `None` if it does not exist. [`crate::facts`] created them from the same type,
/// so those of an existing Deployment always parse.
pub(super) fn deployment(name: &str, plan: &Plan<Applied>) -> Option<DeploymentFacts> {
    DeploymentFacts::deserialize(&plan.child(DEPLOYMENT, name)?.facts).ok()
}

/// Whether all pods run the current version and are available. `awaited` is why a first start waits.
pub(super) fn workload(
    deployment: Option<&DeploymentFacts>,
    plan: &Plan<Applied>,
    awaited: Option<&str>,
    name: &str,
) -> Concern {
    let mut deployments = plan.children.iter().filter(|child| child.kind == DEPLOYMENT);
    if let Some(held) = deployments.find_map(|child| child.held.as_ref()) {
        return Concern::new(false, "Waiting", format!("The rollout {held}."));
    }
    let Some(facts) = deployment else {
        return match awaited {
            Some(because) => Concern::new(false, "Waiting", format!("The first start {because}.")),
            None => Concern::new(
                false,
                "NotStarted",
                format!("Deployment {name} does not exist yet."),
            ),
        };
    };
    let mut progress = format!("{} of {} pods are ready", facts.available, facts.wanted);
    if facts.updated < facts.wanted {
        progress += &format!(", {} of the current version", facts.updated);
    }
    progress.push('.');
    let is_complete = facts.observed_generation >= facts.generation
        && facts.updated >= facts.wanted
        && facts.available >= facts.wanted
        && facts.replicas <= facts.wanted;
    if is_complete {
        Concern::new(true, "Available", progress)
    } else {
        Concern::new(false, "RollingOut", progress)
    }
}
