//! A binding against what its class offers: the same rules as for the section of an application, which need not be where
//! the binding comes from.

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimInput};
use idp_core::{Problem, names::is_subdomain};

use crate::{
    class_template,
    facts::ClaimFacts,
    reasons,
    rules::{choices, is_name, volume_size},
};

/// Everything that the class does not offer, or that cannot change. `claim` is the existing claim: its version and size
/// were offered once, and stay valid.
pub(super) fn check(
    name: &str,
    spec: &ClaimBindingSpec,
    class: &ClaimClassSpec,
    claim: Option<&ClaimFacts>,
) -> Vec<Problem> {
    let before = claim.and_then(|claim| claim.binding.as_ref());
    let mut problems = names(name, spec);
    if spec.engine != class.engine {
        problems.push(
            Problem::error(
                reasons::CLASS_DIFFERS,
                format!(
                    "ClaimClass {} offers {}, not {}.",
                    spec.class, class.engine, spec.engine
                ),
            )
            .hint("Delete the binding. The application creates its own."),
        );
        return problems;
    }
    problems.extend(version(spec, class, before));
    problems.extend(size(spec, class, before));
    if let Some(before) = before {
        problems.extend(immutable(spec, class, before));
    }
    problems
}

/// Names become parts of objects, and values that Compositions evaluate.
fn names(name: &str, spec: &ClaimBindingSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut invalid = |field: &str, value: &str| {
        problems.push(
            Problem::error(
                reasons::INVALID,
                format!("The {field} {value:?} is not a valid name."),
            )
            .hint("Write a-z, 0-9 and '-', starting with a letter and not ending with '-'."),
        );
    };
    if !is_name(&spec.application) {
        invalid("application", &spec.application);
    }
    if !is_name(&spec.name) {
        invalid("name", &spec.name);
    }
    let environment = spec.environment.as_deref().unwrap_or("none");
    if !is_subdomain(environment) {
        invalid("environment", environment);
    }
    let own = class_template::secret_name(name);
    if spec.secret.as_ref().is_some_and(|secret| *secret != own) {
        problems.push(
            Problem::error(
                reasons::INVALID,
                format!(
                    "The connection Secret of {name} is {own}, not {}. No other Secret is written.",
                    spec.secret.as_deref().unwrap_or_default()
                ),
            )
            .hint(format!("Write `secret: {own}`, or remove the field.")),
        );
    }
    problems
}

fn version(
    spec: &ClaimBindingSpec,
    class: &ClaimClassSpec,
    before: Option<&ClaimBindingSpec>,
) -> Option<Problem> {
    let stays = before.is_some_and(|before| before.version == spec.version);
    let offered = match &spec.version {
        Some(version) => class.versions.contains(version),
        None => before.is_none_or(|before| before.version.is_none()) && class.default_version.is_none(),
    };
    (!stays && !offered).then(|| {
        let version = spec.version.as_deref().unwrap_or("no version");
        Problem::error(
            reasons::UNKNOWN_VERSION,
            format!(
                "ClaimClass {} does not offer {} {version}.",
                spec.class, spec.engine
            ),
        )
        .hint(choices("version", class.versions.iter()))
    })
}

fn size(
    spec: &ClaimBindingSpec,
    class: &ClaimClassSpec,
    before: Option<&ClaimBindingSpec>,
) -> Option<Problem> {
    let known = before.and_then(|before| before.size.as_deref());
    if class.is_volume() {
        let size = spec.size.as_deref().unwrap_or_default();
        return volume_size(size, known, &spec.class, class);
    }
    let offered = match &spec.size {
        // Also for an existing claim: without the values of its size, the claim would lose them.
        Some(size) => class.sizes.contains_key(size),
        None => class.default_size.is_none() && known.is_none(),
    };
    (!offered).then(|| {
        let size = spec.size.as_deref().unwrap_or("none");
        Problem::error(
            reasons::UNKNOWN_SIZE,
            format!("ClaimClass {} does not offer the size {size}.", spec.class),
        )
        .hint(choices("size", class.sizes.keys()))
    })
}

fn immutable(spec: &ClaimBindingSpec, class: &ClaimClassSpec, before: &ClaimBindingSpec) -> Vec<Problem> {
    let changed = |input: &ClaimInput| {
        let (field, changed) = match input {
            ClaimInput::Version => ("version", before.version != spec.version),
            ClaimInput::Size => ("size", before.size != spec.size),
            ClaimInput::Versioned => ("versioned", before.versioned != spec.versioned),
        };
        changed.then(|| {
            Problem::error(
                reasons::IMMUTABLE_FIELD,
                format!("The {field} of {} cannot change after creation.", spec.name),
            )
        })
    };
    class.immutable.iter().filter_map(changed).collect()
}
