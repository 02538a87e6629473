//! What patches may change: what the Environment allows, less what is never theirs.

use idp_core::{Kind, Problem};

use crate::{
    validate::{list, reason::PATCH_NOT_ALLOWED},
    validated::Validated,
};

/// Fields that say what an object is, whose it is and whom it selects. A change would break the application, or reach
/// beyond it.
const NEVER: [&str; 5] = [
    "apiVersion",
    "kind",
    "status",
    "spec.selector",
    "spec.scaleTargetRef",
];
/// The only metadata that patches may set.
const METADATA: [&str; 2] = ["metadata.annotations", "metadata.labels"];
/// Beginnings of label and annotation keys that are the platform's.
const OUR_KEYS: [&str; 2] = ["idp.dev/", "app.kubernetes.io/"];

/// Checks the touched fields of an object of `kind`; the problem names the first one that is not allowed.
pub(super) fn check(app: &Validated, kind: Kind, fields: &[String]) -> Result<(), Problem> {
    if let Some(field) = fields.iter().find(|field| is_never_allowed(field)) {
        return Err(Problem::error(
            PATCH_NOT_ALLOWED,
            format!("{field} of {kind} is the platform's own"),
        )
        .hint("take it out of the patch: no policy allows it"));
    }
    let allowed: Vec<&str> = app
        .allowed_patches
        .iter()
        .filter(|rule| rule.kind == kind.kind)
        .filter(|rule| rule.namespaces.is_empty() || rule.namespaces.contains(&app.namespace))
        .flat_map(|rule| rule.fields.iter().map(String::as_str))
        .collect();
    let Some(field) = fields
        .iter()
        .find(|field| !allowed.iter().any(|prefix| is_within(field, prefix)))
    else {
        return Ok(());
    };
    let hint = if allowed.is_empty() {
        format!(
            "no field of {kind} may be patched in namespace {}: ask the platform team",
            app.namespace
        )
    } else {
        format!(
            "what may be patched is: {}; for more, ask the platform team",
            list(allowed)
        )
    };
    let environment = &app.environment;
    Err(Problem::error(
        PATCH_NOT_ALLOWED,
        format!("Environment {environment} does not allow to patch {field} of {kind}"),
    )
    .hint(hint))
}

fn is_never_allowed(field: &str) -> bool {
    let ours = |prefix: &str| {
        field
            .split_once(prefix)
            .is_some_and(|(_, key)| OUR_KEYS.iter().any(|ours| key.starts_with(ours)))
    };
    NEVER.iter().any(|never| is_within(field, never))
        || (is_within(field, "metadata") && !METADATA.iter().any(|allowed| is_within(field, allowed)))
        // Of the object, and of the pods that it makes: policies and Services go by these labels.
        || ours("metadata.labels.")
        || ours("metadata.annotations.")
}

/// Whether the field is `prefix` or below it.
fn is_within(field: &str, prefix: &str) -> bool {
    field
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
