//! Whether we own every field that we apply.

use idp_core::{Kind, ObjectKey, Problem};
use serde_json::Value;

use crate::{
    object::managed_fields,
    reasons,
    store::entry::{Coverage, Entry, PlanHash},
};

/// How many dropped fields a problem names.
const MAX_PATHS: usize = 10;

/// Compares the desired `object` with the fields that we own.
pub(crate) fn coverage(object: &Value, entry: &Entry, hash: PlanHash) -> Coverage {
    let fields: Value = serde_json::from_str(&entry.owned_fields).unwrap_or_default();
    if managed_fields::covers(object, &fields) {
        Coverage::Covered(hash)
    } else {
        Coverage::Dropped(hash, managed_fields::missing(object, &fields, MAX_PATHS))
    }
}

/// The problem of fields that the API server dropped.
pub(crate) fn dropped_fields(kind: Kind, key: &ObjectKey, coverage: &Coverage) -> Option<Problem> {
    let Coverage::Dropped(_, paths) = coverage else {
        return None;
    };
    let message = format!(
        "The API server dropped fields of {kind} {}: {}.",
        key.name,
        paths.join(", ")
    );
    Some(Problem::warning(reasons::FIELDS_DROPPED, message))
}
