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

#[cfg(test)]
mod tests {
    use idp_api::certificate_policy::LabelRequirement;

    use super::*;

    #[test]
    fn labels_of_namespaces() {
        let matches = |operator, values: &[&str], labels: &[(&str, &str)]| {
            let selector = NamespaceSelector {
                match_expressions: vec![LabelRequirement {
                    key: "stage".into(),
                    operator,
                    values: values.iter().map(|value| (*value).to_owned()).collect(),
                }],
                ..NamespaceSelector::default()
            };
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            selects(&selector, &labels.collect())
        };
        use LabelOperator::{DoesNotExist, Exists, In, NotIn};
        assert!(matches(In, &["a", "b"], &[("stage", "b")]));
        assert!(!matches(In, &["a"], &[]));
        assert!(!matches(NotIn, &["a"], &[("stage", "a")]));
        assert!(matches(NotIn, &["a"], &[]));
        assert!(matches(Exists, &[], &[("stage", "")]));
        assert!(!matches(DoesNotExist, &[], &[("stage", "")]));
        assert!(selects(&NamespaceSelector::default(), &BTreeMap::new()));
    }
}
