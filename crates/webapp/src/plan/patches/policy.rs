//! What patches may change: what the Environment allows, less what is never theirs.

use idp_core::{Kind, Problem};

use super::{
    keys,
    kinds::{self, is_within},
};
use crate::{
    reasons,
    validate::{Validated, list},
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
const MAPS: [&str; 2] = ["annotations", "labels"];

/// Checks the touched fields of an object of `kind`; the problem names the first one that is not allowed.
pub(super) fn check(app: &Validated, kind: Kind, fields: &[String]) -> Result<(), Problem> {
    if let Some(field) = fields.iter().find(|field| is_never_allowed(app, kind, field)) {
        return Err(Problem::error(
            reasons::PATCH_NOT_ALLOWED,
            format!("{field} of {kind} is the platform's own"),
        )
        .hint("take it out of the patch: no policy allows it; most of it has a field in spec, see kubectl explain webapplication.spec"));
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
        .find(|field| !allowed.iter().any(|opened| opens(kind, opened, field)))
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
        reasons::PATCH_NOT_ALLOWED,
        format!("Environment {environment} does not allow to patch {field} of {kind}"),
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

/// The key of a label or an annotation below this metadata, which is empty for the map itself; `None` for other fields.
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

/// Whether a field of a policy opens this one.
fn opens(kind: Kind, opened: &str, field: &str) -> bool {
    let key = kinds::metadata(kind)
        .iter()
        .find_map(|metadata| entry(field, metadata));
    match key {
        // The key itself, or its domain with the slash.
        Some(key) if keys::needs_its_name(key) => {
            field == opened || (opened.ends_with('/') && field.starts_with(opened))
        }
        _ => is_within(field, opened),
    }
}
