//! Rollout.

use idp_api::web_application::{Rollout, RolloutStrategy};
use idp_core::Problem;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::findings::Findings;
use crate::reasons;

/// Maximum pods of an application.
const MAX_PODS: i32 = 1000;

/// The rollout with its defaults: new pods start first, so that there are never fewer than wanted.
pub(super) fn rollout(written: Option<&Rollout>, findings: &mut Findings) -> Rollout {
    let written = written.cloned().unwrap_or_default();
    if written.strategy != RolloutStrategy::Rolling {
        findings.add(
            Problem::error(
                reasons::NOT_SUPPORTED,
                format!("Strategy {:?} is not supported yet.", written.strategy),
            )
            .at("spec.rollout.strategy")
            .hint("Use Rolling, or remove rollout.strategy."),
        );
    }
    let max_surge = written
        .max_surge
        .unwrap_or_else(|| IntOrString::String("25%".to_owned()));
    let max_unavailable = written.max_unavailable.unwrap_or(IntOrString::Int(0));
    let surge = amount(&max_surge, "spec.rollout.maxSurge", findings);
    let unavailable = amount(&max_unavailable, "spec.rollout.maxUnavailable", findings);
    if surge == Some(0) && unavailable == Some(0) {
        findings.add(
            Problem::error(
                reasons::INVALID_ROLLOUT,
                "With maxSurge 0 and maxUnavailable 0, no pod can be replaced.",
            )
            .at("spec.rollout.maxSurge"),
        );
    }
    Rollout {
        max_surge: Some(max_surge),
        max_unavailable: Some(max_unavailable),
        ..written
    }
}

/// The number or the percentage; `None`, with a problem, if it is neither.
fn amount(value: &IntOrString, path: &str, findings: &mut Findings) -> Option<i32> {
    let amount = match value {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(text) => {
            let digits = text
                .strip_suffix('%')
                .filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse().ok())
                .filter(|percent| *percent <= 100)
        }
    };
    let amount = amount.filter(|amount| (0..=MAX_PODS).contains(amount));
    if amount.is_none() {
        let written = match value {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        };
        findings.add(
            Problem::error(
                reasons::INVALID_ROLLOUT,
                format!("{written:?} is neither a number of pods up to {MAX_PODS} nor a percentage."),
            )
            .at(path)
            .hint("Use a number such as 1, or a percentage such as \"25%\"."),
        );
    }
    amount
}
