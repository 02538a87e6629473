//! What holds for a secret of an application's section and of a binding alike, whoever wrote it. Pure.

use std::collections::BTreeMap;

use idp_core::{Problem, duration};

use crate::template;

/// What is wrong with the templates of the secret at `path`.
pub(crate) fn templates(templates: &BTreeMap<String, String>, path: &str) -> Vec<Problem> {
    let mut actions = 0;
    let mut problems: Vec<Problem> = templates
        .iter()
        .filter_map(|(name, template)| match template::check(template) {
            Ok(count) => {
                actions += count;
                None
            }
            Err(flaw) => {
                let message = format!("the template {name} is refused: {}", flaw.message());
                Some(
                    Problem::error(flaw.reason(), message)
                        .at(format!("{path}.template.{name}"))
                        .hint(flaw.hint()),
                )
            }
        })
        .collect();
    if actions > template::MOST_ACTIONS {
        let most = template::MOST_ACTIONS;
        let message = format!("the templates have {actions} actions together, and {most} are allowed");
        problems.push(
            Problem::error("TemplateInvalid", message)
                .at(format!("{path}.template"))
                .hint("name the secret twice, each with a part of the templates"),
        );
    }
    problems
}

/// The longest interval: what is longer overflows in External Secrets, which then cannot read any of its objects.
const YEAR: u64 = 365 * 24 * 3600;

/// What is wrong with an interval: every question to a store costs, and counts towards a limit that is everybody's.
/// None at all is asked once.
pub(crate) fn interval(written: &str, least: &str, path: &str) -> Option<Problem> {
    // Parts of a unit are none: `0.5h` would count as nothing here, and as half an hour there.
    let seconds = duration::seconds(written).filter(|seconds| *seconds <= YEAR && !written.contains('.'));
    let Some(seconds) = seconds else {
        let message = format!("refreshInterval {written} is no whole duration of up to a year");
        let problem = Problem::error("InvalidSpec", message).at(path);
        return Some(problem.hint("write a duration such as 5m or 1h"));
    };
    let none = !written.contains(|c| matches!(c, '1'..='9'));
    if none || seconds >= duration::seconds(least).unwrap_or(YEAR) {
        return None;
    }
    let message = format!("{written} is less than {least}, the least interval in this cluster");
    let problem = Problem::error("LimitExceeded", message).at(path);
    Some(problem.hint(format!(
        "write {least} or more, or ask the platform team for another limits.secrets.leastInterval in the Environment"
    )))
}

/// The longer of two intervals, the first where they cannot be compared.
pub(crate) fn longer(one: &str, other: &str) -> String {
    let (first, second) = (duration::seconds(one), duration::seconds(other));
    if first < second { other } else { one }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        for (written, reason) in [
            ("1m", None),
            ("1h30m", None),
            // Asked once.
            ("0s", None),
            ("59s", Some("LimitExceeded")),
            ("1s", Some("LimitExceeded")),
            ("0.001s", Some("InvalidSpec")),
            ("500ms", Some("LimitExceeded")),
            ("1ns", Some("LimitExceeded")),
            ("1.5h", Some("InvalidSpec")),
            ("99999999h", Some("InvalidSpec")),
            ("soon", Some("InvalidSpec")),
            ("", Some("InvalidSpec")),
        ] {
            let found = interval(written, "1m", "spec.secrets[0].refreshInterval");
            assert_eq!(
                found.as_ref().map(|problem| problem.reason.as_str()),
                reason,
                "{written}"
            );
        }
        assert_eq!(longer("1m", "5m"), "5m");
        assert_eq!(longer("1h", "5m"), "1h");
    }
}
