//! What an application chooses: version and size, and what of it cannot change.

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimInput};
use idp_core::Problem;

use super::{checks::volume_size, items::Item};
use crate::reason;

/// The version: what is asked for, or what it was, or the class's.
pub(super) fn version(
    item: &Item,
    class: &ClaimClassSpec,
    before: Option<&ClaimBindingSpec>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let before = before.and_then(|before| before.version.clone());
    let Some(version) = &item.version else {
        // A new default is for new databases: nobody's is upgraded because the class changed.
        return before.or_else(|| class.default_version.clone());
    };
    if !class.versions.contains(version) && before.as_ref() != Some(version) {
        let choice = choice("versions", class.versions.iter());
        let message = format!("{} {version} is not offered", item.engine);
        problems.push(
            Problem::error(reason::UNKNOWN_VERSION, message)
                .at(format!("{}.version", item.path))
                .hint(choice),
        );
    }
    Some(version.clone())
}

/// The size: what is asked for, or what it was, or the class's.
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
        let wrong = volume_size(&size, known, name, class);
        problems.extend(wrong.map(|problem| problem.at(format!("{}.size", item.path))));
        return Some(size);
    }
    let before = before.and_then(|before| before.size.clone());
    let Some(size) = &item.size else {
        return before.or_else(|| class.default_size.clone());
    };
    if !class.sizes.contains_key(size) {
        let choice = choice("sizes", class.sizes.keys());
        let message = format!("the size {size} is not offered for {}", item.engine);
        problems.push(
            Problem::error(reason::UNKNOWN_SIZE, message)
                .at(format!("{}.size", item.path))
                .hint(choice),
        );
    }
    Some(size.clone())
}

pub(crate) fn choice<'a>(what: &str, offered: impl Iterator<Item = &'a String>) -> String {
    let offered: Vec<&str> = offered.map(String::as_str).collect();
    if offered.is_empty() {
        format!("the class offers no {what}: leave it out")
    } else {
        format!("the class offers the {what} {}", offered.join(", "))
    }
}

/// Fields that the class says cannot change, and that would.
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
    value.clone().unwrap_or_else(|| "nothing".to_owned())
}

/// The problem of what cannot change once it exists.
pub(super) fn cannot_change(item: &Item, field: &str, before: &str, now: &str) -> Problem {
    Problem::error(
        reason::IMMUTABLE_FIELD,
        format!(
            "the {field} of {} cannot change from {before} to {now}, because it exists",
            item.name
        ),
    )
    .at(format!("{}.{field}", item.path))
    .hint(format!(
        "add a database of another name with {field} {now}, copy the data, then remove this one"
    ))
}
