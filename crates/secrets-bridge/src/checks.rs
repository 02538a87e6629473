//! What holds for a secret of an application's section and of a binding alike, whoever wrote it. Pure.

use std::collections::BTreeMap;

use idp_api::environment::SecretDefaults;
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

/// What is wrong with an interval: every question to a store costs, and is everybody's.
pub(crate) fn interval(written: &str, defaults: &SecretDefaults, path: &str) -> Option<Problem> {
    let least = duration::seconds(&defaults.min_refresh_interval).unwrap_or(YEAR);
    // Parts of a unit are none: `0.5h` would count as nothing here, and as half an hour there.
    let seconds = duration::seconds(written).filter(|seconds| *seconds <= YEAR);
    let too_often = |seconds: u64| {
        let message = format!(
            "refreshInterval {written} is below the Environment's least of {}",
            duration::text(least)
        );
        debug_assert!(seconds < least);
        Problem::error("RefreshTooOften", message).at(path).hint(format!(
            "write {} or more; the platform team can lower secrets.minRefreshInterval of the Environment",
            duration::text(least)
        ))
    };
    match seconds {
        Some(seconds) if seconds < least => Some(too_often(seconds)),
        Some(_) if !written.contains('.') => None,
        _ => Some(
            Problem::error(
                "InvalidSpec",
                format!("refreshInterval {written} is no whole duration of up to a year"),
            )
            .at(path)
            .hint("write a duration such as 5m or 1h"),
        ),
    }
}
