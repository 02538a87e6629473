//! One readable root cause out of what Crossplane and its providers say of a claim and of all that is below it.
//!
//! They say it at several levels at once: the provider on the resource, Crossplane on the composite resource, and on the
//! claim again. Each level repeats the one below in fewer words, so the lowest that complains is the cause.

use idp_core::Problem;

use crate::{
    facts::{ClaimFacts, ResourceFacts, Said},
    reason,
};

/// Longest message that is shown of a peer.
const LONGEST: usize = 400;

/// The root cause, if anything is wrong. `resources` are the composite resource and what is composed.
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
    if let Some((resource, said)) = composed
        .iter()
        .find_map(|resource| Some((*resource, failure(resource)?)))
    {
        return Some(resource_problem(resource, said));
    }
    if let Some(said) = resources.iter().find(is_composite).and_then(failure_of_sync) {
        return Some(composition_problem(&said.message));
    }
    let said = claim.state.synced.as_ref().filter(|synced| synced.no)?;
    // A composite resource in a namespace is its own claim.
    let composing = ["cannot compose", "Composition"]
        .iter()
        .any(|words| said.message.contains(words));
    Some(if claim.composite.is_none() && composing {
        composition_problem(&said.message)
    } else {
        claim_problem(&said.message)
    })
}

/// What the claim waits for, in one line, while nothing is wrong.
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
        [] => format!("{} {} is not ready yet", claim.kind, claim.name),
        [name] => format!("{} {} waits for {name}", claim.kind, claim.name),
        [name, more @ ..] => format!(
            "{} {} waits for {name} and {} more",
            claim.kind,
            claim.name,
            more.len()
        ),
    }
}

/// What keeps a composed resource from working: a failed operation tells more than that it is not in sync.
fn failure(resource: &ResourceFacts) -> Option<&Said> {
    let operation = resource.state.last_operation.as_ref().filter(|said| said.no);
    operation.or_else(|| failure_of_sync(resource)).or_else(|| {
        // Plain Kubernetes objects and small providers say it in `Ready` alone.
        let ready = resource.state.ready.as_ref()?;
        (ready.no && ready.reason.contains("Fail") && !ready.message.is_empty()).then_some(ready)
    })
}

fn failure_of_sync(resource: &ResourceFacts) -> Option<&Said> {
    let said = resource.state.synced.as_ref()?;
    // Paused on purpose is no failure, and neither is a word without a message.
    (said.no && said.reason != "ReconcilePaused").then_some(said)
}

fn resource_problem(resource: &ResourceFacts, said: &Said) -> Problem {
    let (group, what) = (
        resource.api_version.split('/').next().unwrap_or_default(),
        &said.message,
    );
    let message = format!("{} {} ({group}): {}", resource.kind, resource.name, core_of(what));
    Problem::error(reason::RESOURCE_FAILED, message).hint(hint_for(what))
}

fn composition_problem(message: &str) -> Problem {
    let hint = if message.contains("no compatible Compositions")
        || message.contains("cannot select Composition")
    {
        "the platform team installs a Composition for the class (platform/compositions), or mends its compositionSelector"
    } else {
        "the platform team looks at the Composition, and at what Crossplane may do in the cluster"
    };
    Problem::error(
        reason::COMPOSITION_FAILED,
        format!("Crossplane cannot compose the resources: {}", core_of(message)),
    )
    .hint(hint)
}

fn claim_problem(message: &str) -> Problem {
    Problem::error(
        reason::CLAIM_FAILED,
        format!("Crossplane cannot bind the claim: {}", core_of(message)),
    )
    .hint("the platform team looks at the claim: `kubectl describe` shows its events")
}

fn hint_for(message: &str) -> &'static str {
    let lower = message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&[
        "accessdenied",
        "access denied",
        "unauthorized",
        "not authorized",
        "forbidden",
        "credential",
        "expiredtoken",
    ]) {
        "the platform team gives the provider's identity the right that is missing"
    } else if any(&["quota", "limitexceeded", "limit exceeded", "insufficient"]) {
        "the cloud account is at a limit: free something, or have the limit raised"
    } else if any(&["alreadyexists", "already exists", "bucketalreadyowned"]) {
        "something in the cloud has this name already: remove or rename it, or import it"
    } else if any(&["invalidparameter", "invalid", "validation", "unsupported"]) {
        "choose another size or version, or the platform team mends the class"
    } else if any(&["providerconfig", "provider config"]) {
        "the platform team installs the ProviderConfig (infrastructure/crossplane/providers)"
    } else {
        "it is tried again; if it stays, the platform team looks at this resource"
    }
}

/// The part of a message that says why: providers put up to five prefixes before it.
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

/// A peer's message without what changes with each attempt, bounded.
pub fn readable(message: &str) -> String {
    let mut text = String::new();
    let words = message.split_whitespace().collect::<Vec<_>>();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let lower = word.to_ascii_lowercase();
        if matches!(
            lower.trim_matches(',').trim_end_matches(':'),
            "requestid" | "hostid"
        ) || lower == "request" && words.peek().is_some_and(|next| next.eq_ignore_ascii_case("id:"))
        {
            if lower == "request" {
                words.next();
            }
            // The number itself.
            words.next();
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text += word;
        if text.len() > LONGEST {
            break;
        }
    }
    if text.len() > LONGEST {
        let mut at = LONGEST;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text += " …";
    }
    text
}

#[cfg(test)]
mod tests;
