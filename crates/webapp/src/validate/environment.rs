//! The Environment: a cluster must have exactly one.

use idp_api::EnvironmentSpec;
use idp_core::Problem;

use super::findings::list;
use crate::{observe::Observed, reasons};

/// Name and content of the cluster's Environment.
pub(super) fn environment(observed: &Observed) -> Result<(&String, &EnvironmentSpec), Problem> {
    let environments = &observed.environments;
    if let Some((name, flaw)) = observed.unreadable.first_key_value() {
        // It exists, and may be the right one: what runs keeps running.
        return Err(Problem::error(
            reasons::ENVIRONMENT_UNREADABLE,
            format!("Cannot read Environment {name}: {flaw}."),
        ));
    }
    let mut all = environments.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::error(
            reasons::ENVIRONMENT_MISSING,
            "The cluster has no Environment.",
        )),
        (Some(_), Some(_)) => {
            let names = list(environments.keys().map(String::as_str));
            Err(Problem::error(
                reasons::ENVIRONMENT_AMBIGUOUS,
                format!("The cluster has more than one Environment: {names}."),
            ))
        }
    }
}
