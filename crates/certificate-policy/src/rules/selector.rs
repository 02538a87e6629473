//! Namespaces by their labels.

use std::collections::BTreeMap;

use idp_api::certificate_policy::{LabelOperator, NamespaceSelector};

/// Whether `selector` matches a namespace with these labels.
pub fn selects(selector: &NamespaceSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector.match_expressions.iter().all(|requirement| {
            let found = labels.get(&requirement.key);
            let listed = found.is_some_and(|value| requirement.values.contains(value));
            match requirement.operator {
                LabelOperator::In => listed,
                LabelOperator::NotIn => !listed,
                LabelOperator::Exists => found.is_some(),
                LabelOperator::DoesNotExist => found.is_none(),
            }
        })
}
