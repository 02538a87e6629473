//! Rules for a secret of an application's section and of a SecretBinding alike: tenants can write both. Pure.

pub(crate) mod remote_key;
pub(crate) mod template;

use std::collections::BTreeMap;

use idp_core::{Problem, duration};

use crate::reasons;

/// Checks the templates of the secret at `path`.
pub(crate) fn templates(templates: &BTreeMap<String, String>, path: &str) -> Vec<Problem> {
    let mut actions = 0;
    let mut problems: Vec<Problem> = templates
        .iter()
        .filter_map(|(name, template)| match template::check(template) {
            Ok(count) => {
                actions += count;
                None
            }
            Err(rejection) => {
                let message = format!("The template {name} is rejected: {}.", rejection.message());
                Some(
                    Problem::error(rejection.reason(), message)
                        .at(format!("{path}.template.{name}"))
                        .hint(rejection.hint()),
                )
            }
        })
        .collect();
    if actions > template::MAX_ACTIONS {
        let max = template::MAX_ACTIONS;
        let message =
            format!("The templates have {actions} actions together, but at most {max} are allowed.");
        problems.push(
            Problem::error(reasons::TEMPLATE_INVALID, message)
                .at(format!("{path}.template"))
                .hint("List the secret twice with different names, each with a part of the templates."),
        );
    }
    problems
}

/// Longest interval, in seconds. A longer one overflows in External Secrets, which then can read none of its objects.
const YEAR: u64 = 365 * 24 * 3600;

/// Checks a refresh interval: every request to a store costs, and counts towards a shared limit. With the
/// interval 0 the store is read once.
pub(crate) fn interval(written: &str, least: &str, path: &str) -> Option<Problem> {
    // Fractions are rejected: `0.5h` would be 0 here, and half an hour in External Secrets.
    let seconds = duration::seconds(written).filter(|seconds| *seconds <= YEAR && !written.contains('.'));
    let Some(seconds) = seconds else {
        let message =
            format!("refreshInterval {written} is not a duration of up to a year, without fractions.");
        let problem = Problem::error(reasons::INVALID_SPEC, message).at(path);
        return Some(problem.hint("Write a duration such as 5m or 1h."));
    };
    let none = !written.contains(|c| matches!(c, '1'..='9'));
    if none || seconds >= duration::seconds(least).unwrap_or(YEAR) {
        return None;
    }
    let message = format!("refreshInterval {written} is below {least}, the minimum of this cluster.");
    let problem = Problem::error(reasons::LIMIT_EXCEEDED, message).at(path);
    Some(problem.hint(format!(
        "Write {least} or more, or ask the platform team to lower limits.secrets.leastInterval in the Environment."
    )))
}

/// The longer of two intervals; the first if they cannot be compared.
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
            // 0: read once.
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
