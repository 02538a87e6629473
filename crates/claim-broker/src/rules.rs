//! What a class allows: the same rules for the section of an application and for a ClaimBinding, which anyone with the
//! right to create one may have written. Pure.

use std::{collections::BTreeMap, fmt::Display};

use idp_api::ClaimClassSpec;
use idp_core::{Problem, names::is_label, quantity::thousandths};

use crate::{class_template, reasons};

/// Longest name within an application, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 40;
/// Smallest volume, in thousandths of a byte. Anything smaller is a mistake: `100m` is a tenth of a byte.
const MIN_VOLUME: i128 = 1024 * 1024 * 1000;

/// Whether this is a name within an application.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_CHARS && text.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(text)
}

/// At most as much of a text as a name may have, for a message.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(MAX_NAME_CHARS).collect()
}

/// Why a class cannot be used: it does not exist, or it cannot be read because of `error`.
pub(crate) fn unusable_class(name: &str, error: Option<&str>) -> Problem {
    match error {
        Some(error) => Problem::error(
            reasons::CLASS_UNREADABLE,
            format!("ClaimClass {name} cannot be read: {error}."),
        )
        .hint(format!("Ask the platform team to fix ClaimClass {name}.")),
        None => Problem::error(
            reasons::CLASS_MISSING,
            format!("ClaimClass {name} does not exist. Existing objects are unchanged."),
        )
        .hint(format!(
            "Ask the platform team to restore ClaimClass {name}, or to map the engine to another class in the Environment."
        )),
    }
}

/// The problem of a class whose spec cannot be used.
pub(crate) fn invalid_class(name: &str, fault: &dyn Display) -> Problem {
    Problem::error(
        reasons::CLASS_INVALID,
        format!("ClaimClass {name} is invalid: {fault}."),
    )
    .hint(format!(
        "Ask the platform team to fix ClaimClass {name}. Its status lists all faults."
    ))
}

/// Whether a namespace with these labels may use the class.
pub(crate) fn namespace(
    name: &str,
    class: &ClaimClassSpec,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    if class_template::allows(class, labels).map_err(|error| invalid_class(name, &error))? {
        return Ok(());
    }
    Err(Problem::error(
        reasons::CLASS_NOT_ALLOWED,
        format!("The namespace {namespace} may not use ClaimClass {name}."),
    )
    .hint(format!(
        "Ask the platform team to select the namespace in spec.namespaces of ClaimClass {name}, or to label the namespace."
    )))
}

/// The problem of a namespace that has all claims of a class that it may have; `counted` count before this one.
pub(crate) fn quota_exceeded(class: &str, quota: usize, counted: usize) -> Problem {
    Problem::error(
        reasons::QUOTA_EXCEEDED,
        format!(
            "The namespace may have {quota} claims of ClaimClass {class}, and this would be number {}. Retained data count too.",
            counted + 1
        ),
    )
    .hint(format!(
        "Remove a claim, delete retained data (list them with `idp-cli data list`), or ask the platform team to raise \
         quota.perNamespace of ClaimClass {class}."
    ))
}

/// What a class offers, as a hint.
pub(crate) fn choices<'a>(field: &str, values: impl Iterator<Item = &'a String>) -> String {
    let values: Vec<&str> = values.map(String::as_str).collect();
    if values.is_empty() {
        format!("The class offers no {field}s. Remove the {field}.")
    } else {
        format!("Choose one of the {field}s {}.", values.join(", "))
    }
}

/// What is wrong with the size of a volume. `before` is the size of a volume that exists: it stays valid even if the class
/// allows less by now.
pub(crate) fn volume_size(
    size: &str,
    before: Option<&str>,
    name: &str,
    class: &ClaimClassSpec,
) -> Option<Problem> {
    if before == Some(size) {
        return None;
    }
    let Some(bytes) = thousandths(size).filter(|bytes| *bytes >= MIN_VOLUME) else {
        return Some(Problem::error(
            reasons::INVALID_SIZE,
            format!("{:?} is not a valid volume size.", shorten(size)),
        ));
    };
    let max = class.max_size();
    if thousandths(max).is_none_or(|max| bytes > max) {
        return Some(
            Problem::error(
                reasons::SIZE_EXCEEDED,
                format!("The size {size} is above {max}, the limit of ClaimClass {name}."),
            )
            .hint(format!(
                "Write {max} or less, or ask the platform team to raise maxSize of ClaimClass {name}."
            )),
        );
    }
    let shrinks = before.and_then(thousandths).is_some_and(|before| bytes < before);
    shrinks.then(|| {
        Problem::error(
            reasons::IMMUTABLE_FIELD,
            format!(
                "The volume has {} and cannot shrink to {size}.",
                before.unwrap_or_default()
            ),
        )
        .hint("Add a volume with another name, copy the data, then remove this one.")
    })
}
