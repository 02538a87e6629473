//! Patches: the way out, within the Environment's policy.
//!
//! A patch is checked against the policy, merged, checked against the types of the kind, and then its pods against Pod
//! Security and against what the Environment says of images and neighbours: whatever the policy lets through, a pod stays
//! restricted, and its images are those of the registries.

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

/// Changes the children as the application's patches say. Returns all problems at once.
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
                // Several objects of a kind mostly refuse a patch for one and the same reason.
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
            format!("the application has no {} named {name}", patch.kind),
        )
        .at(format!("{path}.name"))
        .hint(format!("write one of: {}", list(of_kind)));
    }
    let kinds: BTreeSet<&str> = children.iter().map(|child| child.kind.kind).collect();
    Problem::error(
        reasons::PATCH_TARGET_MISSING,
        format!("the application has no {}", patch.kind),
    )
    .at(format!("{path}.kind"))
    .hint(format!("write one of the kinds that it has: {}", list(kinds)))
}

/// The child's object with the patch merged in.
fn patched(app: &Validated, patch: &Patch, child: &Child) -> Result<serde_json::Value, Problem> {
    let kind = child.kind;
    let lists = types::is_typed(kind);
    if let Some(field) = merge::removal(&patch.merge) {
        return Err(Problem::error(
            reasons::PATCH_INVALID,
            format!("the patch of {kind} removes {field}"),
        )
        .hint("write the value that it shall have: patches set fields, and remove none"));
    }
    policy::check(app, kind, &merge::touched(&child.object, &patch.merge, lists))?;
    let mut object = child.object.clone();
    merge::merge(&mut object, &patch.merge, lists).map_err(|field| {
        Problem::error(
            reasons::PATCH_INVALID,
            format!("{field} of {kind} has fields of its own, and cannot be one value"),
        )
        .hint("write the fields below it")
    })?;
    match types::check(kind, &object) {
        Checked::Fits => {}
        Checked::Unknown(field) => {
            return Err(Problem::error(
                reasons::PATCH_UNKNOWN_FIELD,
                format!("{kind} has no field {field}"),
            )
            .hint(format!("see kubectl explain {} --recursive", kind.plural)));
        }
        Checked::Wrong(error) => {
            return Err(Problem::error(
                reasons::PATCH_INVALID,
                format!("the patch does not fit {kind}: {error}"),
            )
            .hint(format!("see kubectl explain {} --recursive", kind.plural)));
        }
    }
    if let Some(pod) = types::pod(kind, &object)
        && let Err(what) = pod_security::check(&pod)
    {
        return Err(Problem::error(
            reasons::PATCH_BREAKS_POD_SECURITY,
            format!(
                "with the patch, pods of {kind} {} break the restricted Pod Security Standard: {what}",
                child.name
            ),
        )
        .hint("take it out of the patch: pods of applications are always restricted"));
    }
    if let Some(pod) = types::pod(kind, &object)
        && let Err(refusal) = fence::check(app, &pod)
    {
        return Err(refusal);
    }
    Ok(object)
}

#[cfg(test)]
mod tests;
