//! Names that two items of the section would both have.

use std::collections::{BTreeMap, BTreeSet};

use idp_core::{
    Problem,
    capability::{EnvSource, SectionPlan},
};

use super::items::Item;
use crate::{class_template::env_prefix, reasons};

/// Items whose bindings would have the same name.
pub(super) fn bindings(items: &[Item]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Item> = BTreeMap::new();
    let mut problems = Vec::new();
    for item in items {
        match first.get(item.binding.as_str()) {
            None => {
                first.insert(&item.binding, item);
            }
            Some(other) => problems.push(
                Problem::error(
                    reasons::DUPLICATE,
                    format!(
                        "{} and {} both need the claim {}.",
                        other.path, item.path, item.binding
                    ),
                )
                .at(format!("{}.name", item.path)),
            ),
        }
    }
    problems
}

/// Environment variables that two items would both set.
pub(super) fn variables(plan: &SectionPlan, items: &[Item]) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let duplicates = plan.env.iter().filter(|variable| !seen.insert(&variable.name));
    let problem = |variable: &EnvSource| {
        let mut named = items
            .iter()
            .filter(|item| variable.name.starts_with(&env_prefix(&item.name)));
        let path = named
            .next_back()
            .map_or_else(String::new, |item| format!("{}.name", item.path));
        Problem::error(
            reasons::DUPLICATE,
            format!(
                "Two items would both set the environment variable {}.",
                variable.name
            ),
        )
        .at(path)
    };
    duplicates.map(problem).collect()
}
