//! Sections that other controllers serve: their answers, brought together with what the application says itself.

use std::collections::{BTreeMap, BTreeSet};

use idp_api::{
    EnvironmentSpec, WebApplication,
    web_application::{ConfigFile, EnvVar},
};
use idp_core::{
    Problem,
    capability::{EgressPeer, Mount, SectionPlan},
    names::is_label,
};
use ipnet::IpNet;

use super::{config_files::RESERVED, findings::Findings};
use crate::{
    capabilities::{Answer, CERTIFICATES, CLAIMS, SECRETS, Section, binding_kind, is_built_in, sections},
    hosts::is_complete_host,
    observe::Observed,
    reasons,
    validate::{Supplies, ValidBinding},
};

/// What capabilities supply. Adds a problem for each section that cannot be carried out. An application is made whole or
/// not at all: without its database it would only crash, and say less clearly why.
pub(super) fn capabilities(
    app: &WebApplication,
    environment: &EnvironmentSpec,
    observed: &Observed,
    findings: &mut Findings,
) -> Supplies {
    let mut supplies = Supplies::default();
    let mut names = Names::of(&app.spec.env, &app.spec.config_files);
    built_in(app, findings);
    for section in sections(app, environment, observed.has_claims()) {
        if section.capability == CERTIFICATES && observed.answers.contains_key(&section.path) {
            // There is somebody, even where the answer is no: `routes` must not say that there is nobody.
            supplies.certificates = Some(BTreeMap::new());
        }
        match observed.answers.get(&section.path) {
            // Without the capability somebody makes the certificates by hand: `routes` says so.
            None if section.capability == CERTIFICATES => {}
            None => missing(app, &section, findings),
            Some((_, Answer::Silence { since })) => silent(app, &section, since, findings),
            Some((_, Answer::Failure(message))) => findings.add(
                Problem::error(
                    reasons::CAPABILITY_FAILED,
                    format!("the capability {} failed: {message}", section.capability),
                )
                .at(&section.path)
                .hint("the platform team finds more in its log; what ran before keeps running"),
            ),
            Some((_, Answer::Plan(plan))) => {
                plan.problems
                    .iter()
                    .for_each(|problem| findings.add(problem.clone()));
                if plan.is_possible() {
                    names.take(&section, plan, findings);
                    supplies.add(&section, plan, observed, findings);
                }
            }
        }
    }
    supplies
}

/// The platform's own capabilities are asked for by their own fields: these have schemas and rules.
fn built_in(app: &WebApplication, findings: &mut Findings) {
    for name in app.spec.capabilities.keys().filter(|name| is_built_in(name)) {
        let fields = match name.as_str() {
            SECRETS => "spec.secrets",
            CLAIMS => "spec.databases and spec.storage",
            _ => "spec.routes",
        };
        findings.add(
            Problem::error(
                reasons::CAPABILITY_BUILT_IN,
                format!("the platform serves {name} itself, and takes nothing for it in spec.capabilities"),
            )
            .at(format!("spec.capabilities.{name}"))
            .hint(format!("use {fields} instead")),
        );
    }
}

/// The fields of a section, for problems that concern all of it.
fn fields(app: &WebApplication, section: &Section) -> Vec<String> {
    if section.capability != CLAIMS {
        return vec![section.path.clone()];
    }
    let mut fields = Vec::new();
    if !app.spec.databases.is_empty() {
        fields.push("spec.databases".to_owned());
    }
    if section.value.get("storage").is_some() {
        fields.push("spec.storage".to_owned());
    }
    if fields.is_empty() {
        // Only claims that were taken out of the spec are left.
        fields.push(section.path.clone());
    }
    fields
}

fn missing(app: &WebApplication, section: &Section, findings: &mut Findings) {
    for field in fields(app, section) {
        findings.add(
            Problem::error(
                reasons::CAPABILITY_MISSING,
                format!(
                    "the capability {} is not deployed in this cluster",
                    section.capability
                ),
            )
            .at(&field)
            .hint(format!(
                "take {field} out until the platform team has deployed it"
            )),
        );
    }
}

/// The message is kept as it is while the silence lasts, also by a controller that was started meanwhile: it says since
/// when.
fn silent(app: &WebApplication, section: &Section, since: &str, findings: &mut Findings) {
    let path = fields(app, section).remove(0);
    let known = app.status.iter().flat_map(|status| &status.problems);
    let known = known
        .filter(|problem| {
            problem.reason == reasons::CAPABILITY_UNREACHABLE && problem.path.as_deref() == Some(&path)
        })
        .find(|problem| problem.message.contains(&section.capability));
    findings.add(known.cloned().unwrap_or_else(|| {
        Problem::error(
            reasons::CAPABILITY_UNREACHABLE,
            format!(
                "the capability {} has not answered since {since}",
                section.capability
            ),
        )
        .at(path)
        .hint("what ran before keeps running; the application is planned again as soon as it answers")
    }));
}

/// Names that are taken, each with what has it.
struct Names {
    variables: BTreeMap<String, String>,
    paths: BTreeMap<String, String>,
    volumes: BTreeSet<String>,
}

impl Names {
    fn of(env: &[EnvVar], files: &[ConfigFile]) -> Self {
        let at = |list: &str, index: usize| format!("spec.{list}[{index}]");
        Self {
            variables: env
                .iter()
                .enumerate()
                .map(|(index, variable)| (variable.name.clone(), at("env", index)))
                .collect(),
            paths: files
                .iter()
                .enumerate()
                .map(|(index, file)| (file.path.clone(), at("configFiles", index)))
                .collect(),
            // Those of the pod itself.
            volumes: ["tmp", "config"].map(str::to_owned).into(),
        }
    }

    fn take(&mut self, section: &Section, plan: &SectionPlan, findings: &mut Findings) {
        for variable in &plan.env {
            if let Some(other) = self.variables.insert(variable.name.clone(), section.path.clone()) {
                findings.add(
                    Problem::error(
                        reasons::VARIABLE_CONFLICT,
                        format!(
                            "variable {} is set by {other} and by {}",
                            variable.name, section.path
                        ),
                    )
                    .at(&section.path)
                    .hint("give one of them another name"),
                );
            }
        }
        for mount in &plan.mounts {
            self.take_mount(section, mount, findings);
        }
    }

    fn take_mount(&mut self, section: &Section, mount: &Mount, findings: &mut Findings) {
        let below = |one: &str, other: &str| {
            one == other
                || one
                    .strip_prefix(other)
                    .is_some_and(|rest| rest.starts_with('/') || other == "/")
        };
        let conflict = self
            .paths
            .iter()
            .find(|(path, _)| below(path, &mount.path) || below(&mount.path, path))
            .map(|(path, other)| format!("{other} has {path}"));
        let conflict = conflict.or_else(|| {
            RESERVED
                .iter()
                .find(|path| below(&mount.path, path) || below(path, &mount.path))
                .map(|path| format!("{path} is not the application's to fill"))
        });
        let conflict = conflict.or_else(|| {
            (!self.volumes.insert(mount.name.clone()))
                .then(|| format!("there is a volume {} already", mount.name))
        });
        if let Some(conflict) = conflict {
            findings.add(
                Problem::error(
                    reasons::MOUNT_CONFLICT,
                    format!("{} cannot be mounted: {conflict}", mount.path),
                )
                .at(&section.path)
                .hint("write another mountPath"),
            );
        }
        self.paths.insert(mount.path.clone(), section.path.clone());
    }
}

impl Supplies {
    fn add(&mut self, section: &Section, plan: &SectionPlan, observed: &Observed, findings: &mut Findings) {
        let kind = binding_kind(&section.capability);
        for binding in &plan.bindings {
            if binding.kind != kind.kind {
                findings.add(wrong_answer(
                    section,
                    &format!("a {}, and may answer with {}s only", binding.kind, kind.kind),
                ));
                continue;
            }
            if !is_label(&binding.name) {
                let what = format!("the name {:?}, which no {} can have", binding.name, binding.kind);
                findings.add(wrong_answer(section, &what));
                continue;
            }
            let facts = observed
                .bindings
                .iter()
                .find(|facts| facts.kind == binding.kind && facts.name == binding.name);
            self.bindings.push(ValidBinding {
                capability: section.capability.clone(),
                kind,
                name: binding.name.clone(),
                spec: binding.spec.clone(),
                facts: facts.cloned(),
                assume_there: observed.assume_settled,
            });
        }
        self.env.extend(plan.env.iter().cloned());
        self.env_from.extend(plan.env_from.iter().cloned());
        self.mounts.extend(plan.mounts.iter().cloned());
        for egress in &plan.egress {
            match unusable(&egress.to) {
                Some(what) => findings.add(wrong_answer(section, &what)),
                None => self.egress.push(egress.clone()),
            }
        }
        if section.capability == CERTIFICATES {
            self.certificates = Some(plan.outputs.clone());
        }
    }
}

/// What is wrong with a target of connections, if anything.
fn unusable(to: &EgressPeer) -> Option<String> {
    match to {
        EgressPeer::Range(range) => {
            let valid = range
                .parse::<IpNet>()
                .is_ok_and(|parsed| parsed.trunc() == parsed);
            (!valid).then(|| format!("{range:?}, which is not a range of addresses"))
        }
        EgressPeer::Host(host) => {
            (!is_complete_host(host)).then(|| format!("{host:?}, which is not a host name"))
        }
        EgressPeer::Pods { .. } => None,
    }
}

fn wrong_answer(section: &Section, what: &str) -> Problem {
    Problem::error(
        reasons::CAPABILITY_FAILED,
        format!("the capability {} answers with {what}", section.capability),
    )
    .at(&section.path)
    .hint("the platform team mends the capability; what ran before keeps running")
}
