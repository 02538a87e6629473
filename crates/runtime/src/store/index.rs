//! Finds objects by their content without a scan.

use std::collections::{BTreeSet, HashMap};

use idp_core::ObjectKey;

/// Objects by terms: texts by which an object is found, such as one of its hosts.
#[derive(Default)]
pub(crate) struct Index {
    by_term: HashMap<String, BTreeSet<ObjectKey>>,
    terms_of: HashMap<ObjectKey, Vec<String>>,
}

impl Index {
    /// Replaces the terms by which the object is found.
    pub(crate) fn put(&mut self, key: &ObjectKey, mut terms: Vec<String>) {
        terms.sort();
        terms.dedup();
        let known = self.terms_of.get(key).map(Vec::as_slice).unwrap_or_default();
        if known == terms {
            return;
        }
        self.remove(key);
        for term in &terms {
            self.by_term.entry(term.clone()).or_default().insert(key.clone());
        }
        if !terms.is_empty() {
            self.terms_of.insert(key.clone(), terms);
        }
    }

    /// The object is gone.
    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        for term in self.terms_of.remove(key).unwrap_or_default() {
            if let Some(keys) = self.by_term.get_mut(&term) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_term.remove(&term);
                }
            }
        }
    }

    /// The objects found by `term`, sorted.
    pub(crate) fn get(&self, term: &str) -> impl Iterator<Item = &ObjectKey> {
        self.by_term.get(term).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_follow_the_object_and_leave_nothing_behind() {
        let (mut index, key) = (Index::default(), ObjectKey::new("shop", "web"));
        let terms = |terms: &[&str]| terms.iter().map(|term| (*term).to_owned()).collect();
        index.put(&key, terms(&["a", "b", "a"]));
        assert_eq!(index.get("a").count(), 1);
        index.put(&key, terms(&["b", "c"]));
        assert_eq!(["a", "b", "c"].map(|term| index.get(term).count()), [0, 1, 1]);
        index.put(&key, Vec::new());
        assert!(index.by_term.is_empty() && index.terms_of.is_empty());
    }
}
