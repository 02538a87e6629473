//! The root cause of a claim's failure, out of the conditions of the claim and of everything composed for it. Pure.
//!
//! A failure is reported at several levels: by the provider on the resource, by Crossplane on the composite resource and
//! again on the claim. Each level repeats the one below in fewer words, so the lowest one is the cause.

use idp_core::Problem;

use crate::{
    facts::{ClaimFacts, ConditionState, ResourceFacts},
    reasons,
};

/// The root cause, if anything is wrong. `resources` are the composite resource and its composed resources.
pub fn root(claim: &ClaimFacts, resources: &[ResourceFacts]) -> Option<Problem> {
    let is_composite = |resource: &&ResourceFacts| {
        claim
            .composite
            .as_ref()
            .is_some_and(|(kind, name)| *kind == resource.kind && *name == resource.name)
    };
    let mut composed: Vec<&ResourceFacts> = resources
        .iter()
        .filter(|resource| !is_composite(resource))
        .collect();
    composed.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    if let Some((resource, condition)) = composed
        .iter()
        .find_map(|resource| Some((*resource, failed_condition(resource)?)))
    {
        return Some(resource_problem(resource, condition));
    }
    if let Some(condition) = resources.iter().find(is_composite).and_then(failed_sync) {
        return Some(composition_problem(&condition.message));
    }
    let condition = claim.state.synced.as_ref().filter(|synced| synced.is_false)?;
    // A namespaced composite resource is its own claim.
    let composing = ["cannot compose", "Composition"]
        .iter()
        .any(|words| condition.message.contains(words));
    Some(if claim.composite.is_none() && composing {
        composition_problem(&condition.message)
    } else {
        claim_problem(&condition.message)
    })
}

/// What the claim waits for, in one sentence, while nothing is wrong.
pub fn waits_for(claim: &ClaimFacts, resources: &[ResourceFacts]) -> String {
    let waiting = |resource: &&ResourceFacts| {
        !resource.state.is_ready()
            && claim
                .composite
                .as_ref()
                .is_none_or(|(kind, _)| *kind != resource.kind)
    };
    let mut names: Vec<String> = resources
        .iter()
        .filter(waiting)
        .map(|resource| format!("{} {}", resource.kind, resource.name))
        .collect();
    names.sort();
    match &names[..] {
        [] => format!("{} {} is not ready yet.", claim.kind, claim.name),
        [name] => format!("{} {} waits for {name}.", claim.kind, claim.name),
        [name, more @ ..] => format!(
            "{} {} waits for {name} and {} more.",
            claim.kind,
            claim.name,
            more.len()
        ),
    }
}

/// Why a composed resource fails: a failed operation says more than `Synced`.
fn failed_condition(resource: &ResourceFacts) -> Option<&ConditionState> {
    let operation = resource
        .state
        .last_operation
        .as_ref()
        .filter(|condition| condition.is_false);
    operation.or_else(|| failed_sync(resource)).or_else(|| {
        // Plain Kubernetes objects and small providers set `Ready` only.
        let ready = resource.state.ready.as_ref()?;
        (ready.is_false && ready.reason.contains("Fail") && !ready.message.is_empty()).then_some(ready)
    })
}

fn failed_sync(resource: &ResourceFacts) -> Option<&ConditionState> {
    let condition = resource.state.synced.as_ref()?;
    // Paused on purpose is no failure.
    (condition.is_false && condition.reason != "ReconcilePaused").then_some(condition)
}

fn resource_problem(resource: &ResourceFacts, condition: &ConditionState) -> Problem {
    let group = resource.api_version.split('/').next().unwrap_or_default();
    let what = &condition.message;
    let message = format!("{} {} ({group}): {}", resource.kind, resource.name, core_of(what));
    let problem = Problem::error(reasons::RESOURCE_FAILED, message);
    match hint_for(what) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn composition_problem(message: &str) -> Problem {
    let problem = Problem::error(
        reasons::COMPOSITION_FAILED,
        format!("Crossplane cannot compose the resources: {}", core_of(message)),
    );
    if message.contains("no compatible Compositions") || message.contains("cannot select Composition") {
        problem.hint(
            "Ask the platform team to install a Composition for the class (platform/compositions), or to fix the class's \
             compositionSelector.",
        )
    } else {
        problem
    }
}

fn claim_problem(message: &str) -> Problem {
    Problem::error(
        reasons::CLAIM_FAILED,
        format!("Crossplane cannot bind the claim: {}", core_of(message)),
    )
}

fn hint_for(message: &str) -> Option<&'static str> {
    let lower = message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let hint = if any(&[
        "accessdenied",
        "access denied",
        "unauthorized",
        "not authorized",
        "forbidden",
        "credential",
        "expiredtoken",
    ]) {
        "Ask the platform team to grant the missing permission to the provider's identity."
    } else if any(&["quota", "limitexceeded", "limit exceeded", "insufficient"]) {
        "The cloud account is at a limit. Delete unused resources, or have the limit raised."
    } else if any(&["alreadyexists", "already exists", "bucketalreadyowned"]) {
        "A cloud resource with this name exists already. Delete, rename or import it."
    } else if any(&["invalidparameter", "invalid", "validation", "unsupported"]) {
        "Choose another size or version, or ask the platform team to fix the class."
    } else if any(&["providerconfig", "provider config"]) {
        "Ask the platform team to install the ProviderConfig (infrastructure/crossplane/providers)."
    } else {
        return None;
    };
    Some(hint)
}

/// The part of a message that says why: providers put up to five prefixes in front of it.
fn core_of(message: &str) -> &str {
    let cut = [
        "api error ",
        "cannot compose resources: ",
        "cannot run Composition pipeline step",
    ];
    let found = cut.iter().filter_map(|mark| {
        let at = message.rfind(mark)?;
        Some(if mark.ends_with(' ') { at + mark.len() } else { at })
    });
    found
        .max()
        .map_or(message, |at| &message[at..])
        .trim_end_matches(['.', ']', '[', ' ', '}', '{'])
}

#[cfg(test)]
mod tests;
