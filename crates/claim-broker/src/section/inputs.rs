//! What an application chooses: version and size, and which of them cannot change.

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimInput};
use idp_core::Problem;

use super::items::Item;
use crate::{
    reasons,
    rules::{choices, volume_size},
};

/// The version: what the application names, or what it was, or the class's default.
pub(super) fn version(
    item: &Item,
    class: &ClaimClassSpec,
    before: Option<&ClaimBindingSpec>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let before = before.and_then(|before| before.version.clone());
    let Some(version) = &item.version else {
        // A new default is for new databases: existing ones are not upgraded because the class changed.
        return before.or_else(|| class.default_version.clone());
    };
    if !class.versions.contains(version) && before.as_ref() != Some(version) {
        problems.push(
            Problem::error(
                reasons::UNKNOWN_VERSION,
                format!("The class does not offer {} {version}.", item.engine),
            )
            .at(format!("{}.version", item.path))
            .hint(choices("version", class.versions.iter())),
        );
    }
    Some(version.clone())
}

/// The size: what the application names, or what it was, or the class's default.
pub(super) fn size(
    item: &Item,
    name: &str,
    class: &ClaimClassSpec,
    before: Option<&ClaimBindingSpec>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    if item.is_volume() {
        let known = before.and_then(|before| before.size.as_deref());
        let size = item.size.clone().unwrap_or_default();
        let invalid = volume_size(&size, known, name, class);
        problems.extend(invalid.map(|problem| problem.at(format!("{}.size", item.path))));
        return Some(size);
    }
    let before = before.and_then(|before| before.size.clone());
    let Some(size) = &item.size else {
        return before.or_else(|| class.default_size.clone());
    };
    if !class.sizes.contains_key(size) {
        problems.push(
            Problem::error(
                reasons::UNKNOWN_SIZE,
                format!("The class does not offer the size {size} for {}.", item.engine),
            )
            .at(format!("{}.size", item.path))
            .hint(choices("size", class.sizes.keys())),
        );
    }
    Some(size.clone())
}

/// Changed fields that the class declares immutable.
pub(super) fn immutable(
    item: &Item,
    class: &ClaimClassSpec,
    before: &ClaimBindingSpec,
    now: &ClaimBindingSpec,
) -> Vec<Problem> {
    let changed = |input: &ClaimInput| {
        let (field, before, now) = match input {
            ClaimInput::Version => ("version", text(&before.version), text(&now.version)),
            ClaimInput::Size => ("size", text(&before.size), text(&now.size)),
            ClaimInput::Versioned => (
                "versioned",
                before.versioned.to_string(),
                now.versioned.to_string(),
            ),
        };
        (before != now).then(|| cannot_change(item, field, &before, &now))
    };
    class.immutable.iter().filter_map(changed).collect()
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "none".to_owned())
}

/// The problem of a field that cannot change after creation.
pub(super) fn cannot_change(item: &Item, field: &str, before: &str, now: &str) -> Problem {
    Problem::error(
        reasons::IMMUTABLE_FIELD,
        format!(
            "The {field} of {} cannot change from {before} to {now} after creation.",
            item.name
        ),
    )
    .at(format!("{}.{field}", item.path))
    .hint(format!(
        "Add a database with another name and {field} {now}, copy the data, then remove this one."
    ))
}
