//! Renders an application without a cluster, with the same `validate` and `plan` as the controller.

use idp_api::{Environment, WebApplication};
use idp_core::{
    Plan, Prepared, Problem,
    capability::{SectionPlan, SectionRequest},
};
use kube::ResourceExt;

use crate::{
    capabilities::{Answer, Section, section_request, sections},
    observe::Observed,
    plan::plan,
    validate::validate,
};

/// The children of `app` in `environment`, after its migration, with all hosts free, and without capabilities.
pub fn render(app: &WebApplication, environment: &Environment) -> Result<Plan<Prepared>, Vec<Problem>> {
    render_with(app, environment, |_, _| None)
}

/// The same with capabilities: `ask` plans for the capability of a name, if it exists.
pub fn render_with(
    app: &WebApplication,
    environment: &Environment,
    ask: impl Fn(&str, &SectionRequest) -> Option<SectionPlan>,
) -> Result<Plan<Prepared>, Vec<Problem>> {
    render_in(app, environment, Observed::default(), ask)
}

/// The same with more facts: hosts that others have claimed, and the application's existing objects. The environments and
/// responses in `observed` are not used.
pub fn render_in(
    app: &WebApplication,
    environment: &Environment,
    observed: Observed,
    ask: impl Fn(&str, &SectionRequest) -> Option<SectionPlan>,
) -> Result<Plan<Prepared>, Vec<Problem>> {
    let (name, spec) = (environment.name_any(), &environment.spec);
    let answer = |section: Section| {
        let request = section_request(app, &name, spec, &section);
        let plan = ask(&section.capability, &request)?;
        Some((section.path.clone(), (section, Answer::Plan(plan))))
    };
    let observed = Observed {
        answers: sections(app, spec, observed.has_claims())
            .into_iter()
            .filter_map(answer)
            .collect(),
        environments: [(name.clone(), spec.clone())].into(),
        assume_settled: true,
        ..observed
    };
    plan(&validate(app, &observed)?)
}
