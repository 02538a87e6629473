//! The problems that validation finds.

use std::collections::BTreeSet;

use idp_core::Problem;

use crate::reasons;

/// Problems found so far. Checks add to it and continue with the best value that they have, so that one pass finds all.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Problem>);

impl Findings {
    /// Adds a problem.
    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The warnings, if there are no errors. On `Err`, all problems, errors first.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Vec<Problem>> {
        if !self.0.iter().any(Problem::is_error) {
            return Ok(self.0);
        }
        self.0.sort_by_key(|problem| !problem.is_error());
        Err(self.0)
    }

    /// Adds a problem for each item whose key an earlier item has. `path` gives the path of an item by its index.
    pub(super) fn unique<K: Ord + std::fmt::Display>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        path: impl Fn(usize) -> String,
        what: &str,
    ) {
        let mut seen = BTreeSet::new();
        for (index, key) in keys.into_iter().enumerate() {
            if seen.contains(&key) {
                let message = format!("Duplicate {what} {key}.");
                self.add(Problem::error(reasons::DUPLICATE, message).at(path(index)));
            }
            seen.insert(key);
        }
    }
}

/// Names for a message, in the given order; "none" if there are none.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
