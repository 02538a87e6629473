//! What the sections `databases` and `storage` of an application become: bindings, environment variables, mounts and
//! problems. Pure: the same answer for the controller, the command line and admission.

mod checks;
mod inputs;
mod items;
mod kept;
#[cfg(test)]
mod tests;
mod wanted;

pub(crate) use checks::{is_name, volume_size};
pub(crate) use inputs::choice;
pub(crate) use wanted::{class_not_allowed, quota_exceeded};

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_binding::ClaimPhase};
use idp_core::{
    Problem,
    capability::{Binding, SectionPlan, SectionRequest},
};
use serde_json::Value;

use crate::{facts::ClaimFacts, reason};
pub(crate) use items::schema;
use items::{Item, items};

/// What a plan depends on besides the request: what the caches hold of the application's namespace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The classes by name.
    pub classes: BTreeMap<String, ClaimClassSpec>,
    /// Those that cannot be read, and what is wrong with each.
    pub unreadable: BTreeMap<String, String>,
    /// Labels of the namespace.
    pub labels: BTreeMap<String, String>,
    /// The bindings of the namespace by name.
    pub bindings: BTreeMap<String, KnownBinding>,
    /// The claims of the namespace by name, whoever wants them.
    pub claims: BTreeMap<String, ClaimFacts>,
}

/// A binding that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownBinding {
    /// Its spec.
    pub spec: ClaimBindingSpec,
    /// How far it is.
    pub phase: Option<ClaimPhase>,
}

impl Known {
    /// Names of all that counts against the quota of `class`: what exists, and what is about to.
    pub fn counted(&self, class: &str) -> BTreeSet<&str> {
        let bindings = self.bindings.iter().filter(|(_, binding)| {
            binding.spec.class == class
                && !binding.spec.released
                && binding.phase != Some(ClaimPhase::Deleted)
        });
        let claims = self.claims.iter().filter(|(_, claim)| claim.class == class);
        bindings
            .map(|(name, _)| name.as_str())
            .chain(claims.map(|(name, _)| name.as_str()))
            .collect()
    }
}

/// What the section becomes.
pub fn plan(request: &SectionRequest, known: &Known) -> SectionPlan {
    let items = match items(request) {
        Ok(items) => items,
        Err(problem) => return SectionPlan::refused(vec![problem]),
    };
    let wrong = checks::check(&items, &request.path);
    if !wrong.is_empty() {
        // Names that are none would only make nonsense of the rest.
        return SectionPlan::refused(wrong);
    }
    let mut plan = SectionPlan {
        problems: twice(&items),
        ..SectionPlan::default()
    };
    let mut new = BTreeMap::new();
    for item in &items {
        match wanted::wanted(item, request, known, &mut new) {
            Ok(wanted) => {
                plan.bindings.push(binding(&item.binding, &wanted.spec));
                plan.env.extend(wanted.env);
                plan.mounts.extend(wanted.mount);
                plan.egress.extend(wanted.egress);
                plan.problems.extend(wanted.warnings);
            }
            Err(problems) => plan.problems.extend(problems),
        }
    }
    plan.problems.extend(variables_twice(&plan, &items));
    kept::kept(request, &items, known, &mut plan);
    if plan.is_possible() {
        plan
    } else {
        SectionPlan::refused(plan.problems)
    }
}

fn binding(name: &str, spec: &ClaimBindingSpec) -> Binding {
    Binding {
        kind: idp_api::kinds::CLAIM_BINDING.kind.to_owned(),
        name: name.to_owned(),
        spec: serde_json::to_value(spec).unwrap_or(Value::Null),
    }
}

/// Things of the application whose bindings would have the same name.
fn twice(items: &[Item]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Item> = BTreeMap::new();
    let mut problems = Vec::new();
    for item in items {
        match first.get(item.binding.as_str()) {
            None => {
                first.insert(&item.binding, item);
            }
            Some(other) => problems.push(
                Problem::error(
                    reason::DUPLICATE,
                    format!("this and {} would both be the claim {}", other.path, item.binding),
                )
                .at(format!("{}.name", item.path))
                .hint("give one of them another name"),
            ),
        }
    }
    problems
}

/// Environment variables that two things of the application would both set.
fn variables_twice(plan: &SectionPlan, items: &[Item]) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let twice = plan.env.iter().filter(|variable| !seen.insert(&variable.name));
    let problem = |variable: &idp_core::capability::EnvSource| {
        let mut named = items
            .iter()
            .filter(|item| variable.name.starts_with(&crate::offer::env_prefix(&item.name)));
        let path = named
            .next_back()
            .map_or_else(String::new, |item| format!("{}.name", item.path));
        Problem::error(
            reason::DUPLICATE,
            format!(
                "two things of this application would both set the variable {}",
                variable.name
            ),
        )
        .at(path)
        .hint("give one of them another name")
    };
    twice.map(problem).collect()
}

/// Why there is no class of this name: it is not there, or cannot be read, because of this flaw.
pub fn without_class(name: &str, flaw: Option<&str>) -> Problem {
    match flaw {
        Some(flaw) => Problem::error(
            reason::CLASS_UNREADABLE,
            format!("ClaimClass {name} cannot be read: {flaw}"),
        )
        .hint("ask the platform team to fix it; what exists stays as it is"),
        None => Problem::error(
            reason::CLASS_MISSING,
            format!("there is no ClaimClass {name}; what exists stays as it is"),
        )
        .hint("the platform team installs the class again"),
    }
}
