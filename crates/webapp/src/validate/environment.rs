//! The Environment: there must be exactly one.

use idp_api::EnvironmentSpec;
use idp_core::Problem;

use super::findings::list;
use crate::{observe::Observed, reasons};

/// Name and content of the cluster's Environment.
pub(super) fn environment(observed: &Observed) -> Result<(&String, &EnvironmentSpec), Problem> {
    let environments = &observed.environments;
    if let Some((name, flaw)) = observed.unreadable.first_key_value() {
        // It is there, and may be the one that counts: what ran before keeps running.
        return Err(Problem::error(
            reasons::ENVIRONMENT_UNREADABLE,
            format!("Environment {name} cannot be read: {flaw}"),
        )
        .hint(
            "ask the platform team to fix it, or to deploy the version of the controllers that it was written for; \
             what ran before keeps running",
        ));
    }
    let mut all = environments.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(
            Problem::error(reasons::ENVIRONMENT_MISSING, "the cluster has no Environment")
                .hint("the platform team makes one: kubectl apply -f environment.yaml"),
        ),
        (Some(_), Some(_)) => {
            let names = list(environments.keys().map(String::as_str));
            Err(Problem::error(
                reasons::ENVIRONMENT_AMBIGUOUS,
                format!("the cluster has several Environments: {names}"),
            )
            .hint("the platform team deletes all but one"))
        }
    }
}
