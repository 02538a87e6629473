//! The Environment: there must be exactly one.

use std::collections::BTreeMap;

use idp_api::EnvironmentSpec;
use idp_core::Problem;

use super::{
    findings::list,
    reason::{ENVIRONMENT_AMBIGUOUS, ENVIRONMENT_MISSING},
};

/// Name and content of the cluster's Environment.
pub(super) fn environment(
    environments: &BTreeMap<String, EnvironmentSpec>,
) -> Result<(&String, &EnvironmentSpec), Problem> {
    let mut all = environments.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(
            Problem::error(ENVIRONMENT_MISSING, "the cluster has no Environment")
                .hint("the platform team makes one: kubectl apply -f environment.yaml"),
        ),
        (Some(_), Some(_)) => {
            let names = list(environments.keys().map(String::as_str));
            Err(Problem::error(
                ENVIRONMENT_AMBIGUOUS,
                format!("the cluster has several Environments: {names}"),
            )
            .hint("the platform team deletes all but one"))
        }
    }
}
