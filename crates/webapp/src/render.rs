//! What an application becomes, without a cluster: the same `validate` and `plan` that the controller calls.

use idp_api::{Environment, WebApplication};
use idp_core::{Plan, Prepared, Problem};
use kube::ResourceExt;

use crate::{observed::Observed, plan::plan, validate::validate};

/// The children of `app` in `environment`, once its migration (if it has one) has succeeded and its hosts are its own.
pub fn render(app: &WebApplication, environment: &Environment) -> Result<Plan<Prepared>, Vec<Problem>> {
    let observed = Observed {
        environments: [(environment.name_any(), environment.spec.clone())].into(),
        assume_migrated: true,
        ..Observed::default()
    };
    plan(&validate(app, &observed)?)
}
