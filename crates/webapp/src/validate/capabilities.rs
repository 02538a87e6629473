//! Sections that capabilities serve: their plans, checked against each other and against the rest of the spec.

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

/// What capabilities supply. Adds a problem for each section without a plan. An application is made with every section or
/// not at all: without its database it would only crash, with a less clear reason.
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
            // A capability exists, even if it returned problems: `routes` must not report that none does.
            supplies.certificates = Some(BTreeMap::new());
        }
        match observed.answers.get(&section.path) {
            // Without the capability, certificates are made by hand: `routes` reports that.
            None if section.capability == CERTIFICATES => {}
            None => missing(app, &section, findings),
            Some((_, Answer::Unreachable { since })) => unreachable(app, &section, since, findings),
            Some((_, Answer::Failed(message))) => findings.add(
                Problem::error(
                    reasons::CAPABILITY_FAILED,
                    format!(
                        "Capability {} failed: {}.",
                        section.capability,
                        message.trim_end_matches('.')
                    ),
                )
                .at(&section.path),
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

/// The platform's own capabilities have their own fields, with schemas and rules.
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
                format!("Capability {name} has its own fields, and is not allowed in spec.capabilities."),
            )
            .at(format!("spec.capabilities.{name}"))
            .hint(format!("Use {fields} instead.")),
        );
    }
}

/// The fields of a section, for problems that concern the whole section.
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
        // Only claims that were removed from the spec are left.
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
                    "Capability {} is not deployed in this cluster.",
                    section.capability
                ),
            )
            .at(&field)
            .hint(format!(
                "Remove {field}, or ask the platform team to deploy the capability."
            )),
        );
    }
}

/// The message stays the same while the capability is unreachable, even if the controller restarts meanwhile, because it has
/// the time since when.
fn unreachable(app: &WebApplication, section: &Section, since: &str, findings: &mut Findings) {
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
                "Capability {} has been unreachable since {since}.",
                section.capability
            ),
        )
        .at(path)
    }));
}

/// Names in use, each with the field that uses it.
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
            // The pod's own volumes.
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
                            "Variable {} is set by {other} and by {}.",
                            variable.name, section.path
                        ),
                    )
                    .at(&section.path),
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
            .map(|(path, other)| format!("{other} uses {path}"));
        let conflict = conflict.or_else(|| {
            RESERVED
                .iter()
                .find(|path| below(&mount.path, path) || below(path, &mount.path))
                .map(|path| format!("{path} is reserved"))
        });
        let conflict = conflict.or_else(|| {
            (!self.volumes.insert(mount.name.clone()))
                .then(|| format!("the volume name {} is already in use", mount.name))
        });
        if let Some(conflict) = conflict {
            findings.add(
                Problem::error(
                    reasons::MOUNT_CONFLICT,
                    format!("Cannot mount {}: {conflict}.", mount.path),
                )
                .at(&section.path),
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
                findings.add(invalid_plan(
                    section,
                    &format!("a {}, but may plan only {}s", binding.kind, kind.kind),
                ));
                continue;
            }
            if !is_label(&binding.name) {
                let what = format!("a {} with the invalid name {:?}", binding.kind, binding.name);
                findings.add(invalid_plan(section, &what));
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
                assume_ready: observed.assume_settled,
            });
        }
        self.env.extend(plan.env.iter().cloned());
        self.env_from.extend(plan.env_from.iter().cloned());
        self.mounts.extend(plan.mounts.iter().cloned());
        for egress in &plan.egress {
            match unusable(&egress.to) {
                Some(what) => findings.add(invalid_plan(section, &what)),
                None => self.egress.push(egress.clone()),
            }
        }
        if section.capability == CERTIFICATES {
            self.certificates = Some(plan.outputs.clone());
        }
    }
}

/// The target of a connection, if it is invalid.
fn unusable(to: &EgressPeer) -> Option<String> {
    match to {
        EgressPeer::Range(range) => {
            let valid = range
                .parse::<IpNet>()
                .is_ok_and(|parsed| parsed.trunc() == parsed);
            (!valid).then(|| format!("a connection to {range:?}, which is not an IP range"))
        }
        EgressPeer::Host(host) => {
            (!is_complete_host(host)).then(|| format!("a connection to {host:?}, which is not a host name"))
        }
        EgressPeer::Pods { .. } => None,
    }
}

fn invalid_plan(section: &Section, what: &str) -> Problem {
    Problem::error(
        reasons::CAPABILITY_FAILED,
        format!(
            "Capability {} returned an invalid plan: {what}.",
            section.capability
        ),
    )
    .at(&section.path)
}
