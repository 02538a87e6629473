//! Objects of the same name that are not ours, and how a person hands one over.

use idp_core::{Kind, ObjectKey, Problem};
use kube::core::DynamicObject;

use crate::{object::parent::Parent, reasons, store::entry::Entry};

/// Annotation by which a person hands an object over to the resource of this name.
const ADOPT: &str = "idp.dev/adopt-by";

/// Whether the annotation of `object` names `parent`.
pub(crate) fn is_handed_over(object: &DynamicObject, parent: &Parent, key: &ObjectKey) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(ADOPT)) == Some(&heir(parent, key))
}

/// The annotation's value that hands the object of this key over: the resource's name, with its namespace where that is
/// another, as resources of many namespaces may have the name.
fn heir(parent: &Parent, key: &ObjectKey) -> String {
    if parent.cannot_own(Some(&key.namespace)) {
        parent.key.to_string()
    } else {
        parent.key.name.clone()
    }
}

/// The problem of a name that another object has. One that `holds_data` cannot be handed over.
pub(crate) fn name_taken(
    kind: Kind,
    key: &ObjectKey,
    entry: &Entry,
    parent: &Parent,
    managers: &[String],
    holds_data: bool,
) -> Problem {
    let whose = match &entry.owner {
        Some(owner) => format!("It belongs to {} {}.", owner.kind, owner.name),
        None if managers.is_empty() => "It has no owner.".to_owned(),
        None => format!("It was written by {}.", managers.join(", ")),
    };
    let problem = Problem::error(
        reasons::NAME_TAKEN,
        format!("{kind} {} already exists and is not ours. {whose}", key.name),
    );
    let object = format!("{} {}", kind.plural, key.name);
    problem.hint(match &entry.owner {
        Some(_) => format!("Rename this resource, or delete the owner of {object}."),
        None if holds_data => format!(
            "Rename this resource. {object} may hold data, so the controller neither adopts nor deletes it."
        ),
        None => format!(
            "Rename this resource, delete the object, or hand it over with `kubectl -n {} annotate {object} {ADOPT}={}`; \
             its fields are then overwritten.",
            key.namespace,
            heir(parent, key)
        ),
    })
}

/// Who wrote an object, by its `managedFields`.
pub(crate) fn managers(object: &DynamicObject) -> Vec<String> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.manager.clone()).collect();
    names.sort();
    names.dedup();
    names
}
