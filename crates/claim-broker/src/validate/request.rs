//! What a binding asks for, against what its class offers: the same rules as for the section of an application, which
//! nobody need have written it from.

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimInput};
use idp_core::Problem;

use crate::{
    facts::ClaimFacts,
    offer, reason,
    section::{choice, is_name, volume_size},
};

/// Everything that the class does not offer, or that cannot change. `claim` is what exists: its version and size were
/// offered once, and stay.
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
                reason::CLASS_DIFFERS,
                format!(
                    "the class {} offers {}, not {}",
                    spec.class, class.engine, spec.engine
                ),
            )
            .hint("delete this binding: the application makes its own"),
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

/// Names become part of objects and of what Compositions evaluate.
fn names(name: &str, spec: &ClaimBindingSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |what: &str, value: &str| {
        problems.push(
            Problem::error(reason::INVALID, format!("{what} {value:?} is not a name"))
                .hint("write a-z, 0-9 and '-', beginning with a letter and not ending with '-'"),
        );
    };
    if !is_name(&spec.application) {
        wrong("application", &spec.application);
    }
    if !is_name(&spec.name) {
        wrong("name", &spec.name);
    }
    let environment = spec.environment.as_deref().unwrap_or("none");
    if !environment.split('.').all(is_label) {
        wrong("environment", environment);
    }
    let own = offer::secret_name(name);
    if spec.secret.as_ref().is_some_and(|secret| *secret != own) {
        problems.push(
            Problem::error(
                reason::INVALID,
                format!(
                    "the connection Secret of {name} is {own}, not {}: no other Secret is written to",
                    spec.secret.as_deref().unwrap_or_default()
                ),
            )
            .hint(format!("write secret: {own}, or leave it out")),
        );
    }
    problems
}

fn is_label(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
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
            reason::UNKNOWN_VERSION,
            format!(
                "{} {version} is not offered by the class {}",
                spec.engine, spec.class
            ),
        )
        .hint(choice("versions", class.versions.iter()))
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
        // Also of what exists: without the values of its size the claim would be changed to nothing.
        Some(size) => class.sizes.contains_key(size),
        None => class.default_size.is_none() && known.is_none(),
    };
    (!offered).then(|| {
        let size = spec.size.as_deref().unwrap_or("none");
        Problem::error(
            reason::UNKNOWN_SIZE,
            format!("the size {size} is not offered by the class {}", spec.class),
        )
        .hint(choice("sizes", class.sizes.keys()))
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
                reason::IMMUTABLE_FIELD,
                format!("the {field} of {} cannot change, because it exists", spec.name),
            )
            .hint("add a database of another name, copy the data, then remove this one")
        })
    };
    class.immutable.iter().filter_map(changed).collect()
}
