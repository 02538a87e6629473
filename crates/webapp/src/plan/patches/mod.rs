//! Patches of generated objects, within the Environment's policy.
//!
//! A patch is checked against the policy, merged, and checked against the types of the kind. Then its pods are checked against
//! Pod Security and the Environment's limits: whatever the policy allows, a pod stays restricted, and its images come from
//! the allowed registries.

mod fence;
mod keys;
mod kinds;
mod merge;
mod pod_security;
mod policy;
mod types;

use std::collections::BTreeSet;

use idp_api::web_application::Patch;
use idp_core::{Child, Problem};

use self::types::Checked;
use crate::{
    reasons,
    validate::{Validated, list},
};

/// Applies the application's patches to its children. Returns all problems at once.
pub(super) fn apply(app: &Validated, children: &mut [Child]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, patch) in app.patches.iter().enumerate() {
        let path = format!("spec.patches[{index}]");
        let targets: Vec<usize> = (0..children.len())
            .filter(|&i| is_target(patch, &children[i]))
            .collect();
        if targets.is_empty() {
            problems.push(missing(patch, children, &path));
        }
        for target in targets {
            match patched(app, patch, &children[target]) {
                Ok(object) => children[target].object = object,
                // Several objects of a kind mostly reject a patch for the same reason: one problem is enough.
                Err(problem) => {
                    problems.push(problem.at(format!("{path}.merge")));
                    break;
                }
            }
        }
    }
    problems
}

fn is_target(patch: &Patch, child: &Child) -> bool {
    child.kind.kind == patch.kind && patch.name.as_ref().is_none_or(|name| *name == child.name)
}

fn missing(patch: &Patch, children: &[Child], path: &str) -> Problem {
    let of_kind: BTreeSet<&str> = children
        .iter()
        .filter(|child| child.kind.kind == patch.kind)
        .map(|child| child.name.as_str())
        .collect();
    if let (Some(name), false) = (&patch.name, of_kind.is_empty()) {
        return Problem::error(
            reasons::PATCH_TARGET_MISSING,
            format!("The application has no {} named {name}.", patch.kind),
        )
        .at(format!("{path}.name"))
        .hint(format!("Use one of: {}.", list(of_kind)));
    }
    let kinds: BTreeSet<&str> = children.iter().map(|child| child.kind.kind).collect();
    Problem::error(
        reasons::PATCH_TARGET_MISSING,
        format!("The application has no {}.", patch.kind),
    )
    .at(format!("{path}.kind"))
    .hint(format!("Use one of the application's kinds: {}.", list(kinds)))
}

/// The child's object with the patch merged in.
fn patched(app: &Validated, patch: &Patch, child: &Child) -> Result<serde_json::Value, Problem> {
    let kind = child.kind;
    let lists = types::is_typed(kind);
    if let Some(field) = merge::removal(&patch.merge) {
        return Err(Problem::error(
            reasons::PATCH_INVALID,
            format!("The patch of {kind} removes {field}. Patches can only set fields."),
        )
        .hint("Set the value that the field should have."));
    }
    policy::check(app, kind, &merge::touched(&child.object, &patch.merge, lists))?;
    let mut object = child.object.clone();
    merge::merge(&mut object, &patch.merge, lists).map_err(|field| {
        Problem::error(
            reasons::PATCH_INVALID,
            format!("{field} of {kind} is an object, and cannot be replaced by a single value."),
        )
        .hint("Set the fields below it.")
    })?;
    match types::check(kind, &object) {
        Checked::Fits => {}
        Checked::Unknown(field) => {
            return Err(Problem::error(
                reasons::PATCH_UNKNOWN_FIELD,
                format!("{kind} has no field {field}."),
            )
            .hint(format!(
                "Run kubectl explain {} --recursive to see its fields.",
                kind.plural
            )));
        }
        Checked::Wrong(error) => {
            return Err(Problem::error(
                reasons::PATCH_INVALID,
                format!("The patch does not fit {kind}: {error}."),
            )
            .hint(format!(
                "Run kubectl explain {} --recursive to see its fields.",
                kind.plural
            )));
        }
    }
    if let Some(pod) = types::pod(kind, &object)
        && let Err(what) = pod_security::check(&pod)
    {
        return Err(Problem::error(
            reasons::PATCH_BREAKS_POD_SECURITY,
            format!(
                "With the patch, pods of {kind} {} violate the restricted Pod Security Standard: {what}.",
                child.name
            ),
        )
        .hint("Remove it from the patch. Pods of applications are always restricted."));
    }
    if let Some(pod) = types::pod(kind, &object)
        && let Err(problem) = fence::check(app, &pod)
    {
        return Err(problem);
    }
    Ok(object)
}

#[cfg(test)]
mod tests;
