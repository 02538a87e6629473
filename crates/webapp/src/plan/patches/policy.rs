//! Which fields patches may change: those that the Environment allows, except fields that are never allowed.

use idp_core::{Kind, Problem};

use super::{
    keys,
    kinds::{self, is_within},
};
use crate::{
    reasons,
    validate::{Validated, list},
};

/// Fields that identify an object or select others. A change would break the application, or affect others.
const NEVER: [&str; 5] = [
    "apiVersion",
    "kind",
    "status",
    "spec.selector",
    "spec.scaleTargetRef",
];
/// The only metadata that patches may set.
const MAPS: [&str; 2] = ["annotations", "labels"];

/// Checks the fields that a patch of `kind` sets. The problem names the first one that is not allowed.
pub(super) fn check(app: &Validated, kind: Kind, fields: &[String]) -> Result<(), Problem> {
    if let Some(field) = fields.iter().find(|field| is_never_allowed(app, kind, field)) {
        return Err(Problem::error(
            reasons::PATCH_NOT_ALLOWED,
            format!("{field} of {kind} belongs to the platform."),
        )
        .hint("Remove it from the patch. No Environment can allow it. Look for a field of the spec instead: kubectl explain webapplication.spec."));
    }
    let allowed: Vec<&str> = app
        .allowed_patches
        .iter()
        .filter(|rule| rule.kind == kind.kind)
        .filter(|rule| rule.namespaces.is_empty() || rule.namespaces.contains(&app.namespace))
        .flat_map(|rule| rule.fields.iter().map(String::as_str))
        .collect();
    let Some(field) = fields.iter().find(|field| {
        !allowed
            .iter()
            .any(|allowed_field| allows(kind, allowed_field, field))
    }) else {
        return Ok(());
    };
    let hint = if allowed.is_empty() {
        format!(
            "Ask the platform team to allow the field. No field of {kind} may be patched in namespace {}.",
            app.namespace
        )
    } else {
        format!(
            "Remove the field from the patch, or ask the platform team to allow it. Allowed: {}.",
            list(allowed)
        )
    };
    let environment = &app.environment;
    Err(Problem::error(
        reasons::PATCH_NOT_ALLOWED,
        format!("Environment {environment} does not allow patches of {field} of {kind}."),
    )
    .hint(hint))
}

fn is_never_allowed(app: &Validated, kind: Kind, field: &str) -> bool {
    let of_metadata = kinds::metadata(kind).iter().any(|metadata| {
        is_within(field, metadata)
            && match entry(field, metadata) {
                None => true,
                Some(key) => keys::is_closed(app, key),
            }
    });
    NEVER.iter().any(|never| is_within(field, never)) || of_metadata || kinds::is_closed(kind, field)
}

/// The key of a label or annotation below this metadata; empty for the map itself, `None` for other fields.
fn entry<'a>(field: &'a str, metadata: &str) -> Option<&'a str> {
    MAPS.iter().find_map(|map| {
        let rest = field
            .strip_prefix(metadata)?
            .strip_prefix('.')?
            .strip_prefix(map)?;
        Some(if rest.is_empty() {
            ""
        } else {
            rest.strip_prefix('.')?
        })
    })
}

/// Whether a field of the policy allows this one.
fn allows(kind: Kind, allowed_field: &str, field: &str) -> bool {
    let key = kinds::metadata(kind)
        .iter()
        .find_map(|metadata| entry(field, metadata));
    match key {
        // The key itself, or its domain with the slash.
        Some(key) if keys::needs_its_name(key) => {
            field == allowed_field || (allowed_field.ends_with('/') && field.starts_with(allowed_field))
        }
        _ => is_within(field, allowed_field),
    }
}
