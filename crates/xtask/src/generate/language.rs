//! What users read is plain English: reasons, messages, hints and field descriptions.

use std::collections::BTreeMap;

use idp_core::Reason;
use serde_json::Value;

use super::{messages, problems::LISTS, tests::root};

/// Turns of phrase that are not plain, each with what to write instead. CONTRIBUTING.md has the table for people.
const BANNED: [(&str, &str); 9] = [
    ("as it is written", "name the field or the value"),
    ("in the way of", "blocks, prevents"),
    ("mend", "fix, correct"),
    ("nobody", "no, not any"),
    ("silent", "unreachable, does not respond"),
    ("stands in", "is in, blocks"),
    ("takes for", "reads as, considers"),
    ("lies ", "is, is located"),
    ("is there twice", "duplicate"),
];

fn banned(text: &str) -> Vec<String> {
    let text = format!("{} ", text.to_lowercase());
    let found = BANNED.iter().filter(|(phrase, _)| {
        text.match_indices(phrase)
            .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric()))
    });
    found
        .map(|(phrase, instead)| format!("“{phrase}” (say: {instead})"))
        .collect()
}

fn is_sentence(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    // A sentence may begin with a field or a command, which keep their letters.
    let begins = first.starts_with(char::is_uppercase) || first.contains(['.', '-', '`']);
    begins && text.ends_with(['.', '?'])
}

#[test]
fn reasons_are_explained_in_sentences() {
    let mut faults = Vec::new();
    for reason in LISTS.iter().flat_map(|list| list.reasons) {
        for text in [reason.means, reason.hint] {
            if !is_sentence(text) {
                faults.push(format!(
                    "{reason}: no sentence with capital and full stop: {text:?}"
                ));
            }
            faults.extend(
                banned(text)
                    .into_iter()
                    .map(|phrase| format!("{reason}: {phrase} in {text:?}")),
            );
        }
        if !reason.name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            faults.push(format!("{reason}: not one word"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn reasons_are_declared_once() {
    let mut known = BTreeMap::<&str, (&str, &Reason)>::new();
    for list in LISTS {
        for reason in list.reasons {
            if let Some((other, _)) = known.insert(reason.name, (list.title, reason)) {
                panic!(
                    "{reason} is declared by both “{other}” and “{}”: one belongs into idp_core::reason::shared",
                    list.title
                );
            }
        }
    }
}

/// The names of all messages and hints can be listed with `cargo test -p xtask messages_and_hints -- --nocapture`.
#[test]
fn messages_and_hints_are_plain() {
    let mut faults = Vec::new();
    let all = messages::sources(root()).unwrap();
    assert!(all.len() > 100, "only {} messages and hints found", all.len());
    for template in &all {
        let (reason, text) = (template.reason.as_deref().unwrap_or("hint"), &template.text);
        println!("{}: {reason}: {text}", template.file.display());
        faults.extend(
            banned(text)
                .into_iter()
                .map(|phrase| format!("{}: {phrase} in {text:?}", template.file.display())),
        );
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn field_descriptions_are_plain() {
    let mut faults = Vec::new();
    for crd in idp_api::crds() {
        let kind = crd.spec.names.kind.clone();
        descriptions(&serde_json::to_value(crd).unwrap(), &mut |text| {
            faults.extend(
                banned(text)
                    .into_iter()
                    .map(|phrase| format!("{kind}: {phrase} in {text:?}")),
            );
        });
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn descriptions(schema: &Value, check: &mut impl FnMut(&str)) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" || name == "message" => check(text),
                    other => descriptions(other, check),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| descriptions(item, check)),
        _ => {}
    }
}

#[test]
fn phrases_are_found_as_words() {
    assert_eq!(
        banned("The platform team mends it.").len(),
        1,
        "{:?}",
        banned("mends")
    );
    assert!(banned("Recommended: replies within a second.").is_empty());
}
