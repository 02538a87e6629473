//! Whether a controller's rights are the least: all it asks is allowed, and all it may do it does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{NAMESPACE, audit::Request, root};

/// Verb, group and resource.
pub type Right = (String, String, String);

/// The rules of a controller's roles, in `platform/operators/NAME/rbac.yaml`: one entry for each verb of each resource.
///
/// # Panics
/// When the file is none, or grants something twice.
pub fn granted(name: &str) -> BTreeSet<Right> {
    let file = root().join(format!("platform/operators/{name}/rbac.yaml"));
    let text = std::fs::read_to_string(file).expect("it exists");
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

/// Fails where a controller may do what none should.
///
/// # Panics
/// When it may use wildcards, touch Secrets, or give itself more rights.
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

/// Fails where a request of the controller was refused, or concerned Secrets, and where a right was not used.
///
/// # Panics
/// Then.
pub fn assert_least(name: &str, requests: &[Request]) {
    let user = format!("system:serviceaccount:{NAMESPACE}:{name}");
    let requests: Vec<_> = requests.iter().filter(|request| request.user == user).collect();
    let refused: Vec<_> = requests
        .iter()
        .filter(|request| !request.allowed || request.code == 403)
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    let secrets: Vec<_> = requests
        .iter()
        .filter(|request| request.group.is_empty() && request.resource.split('/').next() == Some("secrets"))
        .collect();
    assert!(secrets.is_empty(), "asked for secrets: {secrets:#?}");
    let used: BTreeSet<Right> = requests.iter().flat_map(|request| used(request)).collect();
    let granted = granted(name);
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(unused.is_empty(), "never used, so not needed: {unused:#?}");
    eprintln!(
        "{name}: {} requests used each of {} rights",
        requests.len(),
        granted.len()
    );
}

/// What a request needed. Server-side apply of what is not there yet needs two rights; and so does a watch, which begins
/// with a list: as a stream, or by pages where the API server does not stream lists.
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
