//! Checking a controller's least privilege: all its requests are allowed, and it uses all its rights.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{NAMESPACE, audit::Request, root};

/// Verb, group and resource.
pub type Right = (String, String, String);

/// The rules of a controller's roles, in `platform/operators/NAME/rbac.yaml`: one entry for each verb of each resource.
///
/// # Panics
/// When the file is missing or invalid, or grants a right twice.
pub fn granted(name: &str) -> BTreeSet<Right> {
    let file = root().join(format!("platform/operators/{name}/rbac.yaml"));
    let text = std::fs::read_to_string(file).expect("rbac.yaml exists");
    let documents = idp_api::manifests::parse(&text).expect("YAML");
    let rules = documents
        .iter()
        .filter_map(|document| document["rules"].as_array());
    let words = |rule: &Value, field: &str| -> Vec<String> {
        serde_json::from_value(rule[field].clone()).expect("a list of words")
    };
    let mut rights = BTreeSet::new();
    for rule in rules.flatten() {
        for verb in words(rule, "verbs") {
            for group in words(rule, "apiGroups") {
                for resource in words(rule, "resources") {
                    let right = (verb.clone(), group.clone(), resource);
                    assert!(rights.insert(right.clone()), "granted twice: {right:?}");
                }
            }
        }
    }
    rights
}

/// Fails if a controller has a right that no controller may have.
///
/// # Panics
/// When it has wildcards, rights on Secrets, or rights to extend its rights.
pub fn assert_modest(name: &str) {
    for (verb, group, resource) in granted(name) {
        let words = [&verb, &group, &resource];
        assert!(
            !words.into_iter().any(|word| word.contains('*')),
            "{verb} {group} {resource}"
        );
        assert_ne!(resource.split('/').next(), Some("secrets"), "{verb}");
        let forbidden = ["escalate", "bind", "impersonate", "deletecollection"];
        assert!(!forbidden.contains(&verb.as_str()), "{verb} {resource}");
    }
}

/// Fails if a request of the controller was forbidden or concerned Secrets, or if a right is unused.
///
/// # Panics
/// If so.
pub fn assert_least(name: &str, requests: &[Request]) {
    let user = format!("system:serviceaccount:{NAMESPACE}:{name}");
    let requests: Vec<_> = requests.iter().filter(|request| request.user == user).collect();
    let refused: Vec<_> = requests
        .iter()
        .filter(|request| !request.allowed || request.code == 403)
        .collect();
    assert!(refused.is_empty(), "forbidden: {refused:#?}");
    let secrets: Vec<_> = requests
        .iter()
        .filter(|request| request.group.is_empty() && request.resource.split('/').next() == Some("secrets"))
        .collect();
    assert!(secrets.is_empty(), "requests for Secrets: {secrets:#?}");
    let used: BTreeSet<Right> = requests.iter().flat_map(|request| used(request)).collect();
    let granted = granted(name);
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(unused.is_empty(), "unused rights: {unused:#?}");
    eprintln!(
        "{name}: {} requests used all {} rights",
        requests.len(),
        granted.len()
    );
}

/// The rights that a request needs. Server-side apply of a new object needs two. So does a watch, which starts with a
/// list: streamed, or in pages if the API server does not stream lists.
fn used(request: &Request) -> Vec<Right> {
    let right = |verb: &str| (verb.to_owned(), request.group.clone(), request.resource.clone());
    let mut rights = vec![right(&request.verb)];
    if request.verb == "patch" && request.code == 201 {
        rights.push(right("create"));
    }
    if request.verb == "watch" {
        rights.push(right("list"));
    }
    rights
}
