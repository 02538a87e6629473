//! Metrics, objectives and the dashboard.

use idp_api::{
    EnvironmentSpec, WebApplicationSpec,
    environment::MeshMode,
    web_application::{Dashboard, Metrics, Objective},
};
use idp_core::Problem;

use super::{findings::Findings, ports};
use crate::{
    reasons,
    validate::{ValidObjective, ValidPort},
};

/// Buckets of Istio's histogram, in milliseconds: values between them are not measured.
const LATENCIES: [i32; 14] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
];

/// Where metrics are scraped; `None` without a Prometheus operator.
pub(super) fn metrics(
    spec: &WebApplicationSpec,
    environment: &EnvironmentSpec,
    valid_ports: &[ValidPort],
    findings: &mut Findings,
) -> Option<(Metrics, ValidPort)> {
    let metrics = spec.observability.as_ref()?.metrics.clone()?;
    let path = "spec.observability.metrics.port";
    let port = ports::named(valid_ports, metrics.port.as_deref(), path, findings)?;
    environment
        .monitoring
        .prometheus_operator
        .then_some((metrics, port))
}

/// The objectives that can be measured.
pub(super) fn objectives(
    spec: &WebApplicationSpec,
    environment: &EnvironmentSpec,
    findings: &mut Findings,
) -> Vec<ValidObjective> {
    let path = "spec.observability.objectives";
    let written = spec.observability.as_ref().map_or(&[][..], |o| &o.objectives);
    findings.unique(
        written.iter().map(|o| &o.name),
        |i| format!("{path}[{i}].name"),
        "objective",
    );
    for (index, objective) in written.iter().enumerate() {
        // The name becomes part of PromQL and of a dashboard, so it must contain no syntax of either.
        if !is_plain(&objective.name) {
            findings.add(
                Problem::error(
                    reasons::INVALID_SPEC,
                    format!("{:?} is not a valid name.", objective.name),
                )
                .at(format!("{path}[{index}].name"))
                .hint("Use a-z, 0-9 and '-'. Begin with a letter, and end with a letter or a digit."),
            );
        }
    }
    let parsed: Vec<ValidObjective> = written
        .iter()
        .enumerate()
        .filter_map(|(index, objective)| parse(objective, &format!("{path}[{index}]"), findings))
        .collect();
    let missing = match (environment.monitoring.prometheus_operator, environment.mesh.mode) {
        (true, MeshMode::Sidecar | MeshMode::Ambient) => return parsed,
        (true, MeshMode::None) => "mesh",
        (false, MeshMode::None) => "Prometheus operator and no mesh",
        (false, _) => "Prometheus operator",
    };
    if !written.is_empty() {
        findings.add(
            Problem::warning(
                reasons::OBJECTIVES_NOT_MEASURED,
                format!(
                    "The Environment has no {missing}, so the objectives are not measured and do not alert."
                ),
            )
            .at(path),
        );
    }
    Vec::new()
}

fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-') && name.chars().all(fits)
}

/// Whether to make a dashboard.
pub(super) fn dashboard(spec: &WebApplicationSpec, environment: &EnvironmentSpec) -> bool {
    let wanted = spec
        .observability
        .as_ref()
        .map_or(Dashboard::Enabled, |o| o.dashboard);
    wanted == Dashboard::Enabled && environment.monitoring.dashboards
}

fn parse(objective: &Objective, path: &str, findings: &mut Findings) -> Option<ValidObjective> {
    let (percent, field) = match (&objective.availability, &objective.latency) {
        (Some(availability), None) => (&availability.percent, "availability"),
        (None, Some(latency)) => {
            if !LATENCIES.contains(&latency.milliseconds) {
                findings.add(
                    Problem::error(
                        reasons::INVALID_SPEC,
                        format!(
                            "The mesh does not measure a latency of {} ms.",
                            latency.milliseconds
                        ),
                    )
                    .at(format!("{path}.latency.milliseconds"))
                    .hint(format!(
                        "Use one of: {}.",
                        LATENCIES.map(|bound| bound.to_string()).join(", ")
                    )),
                );
            }
            (&latency.percent, "latency")
        }
        _ => {
            findings.add(
                Problem::error(
                    reasons::INVALID_SPEC,
                    format!("Objective {} needs exactly one target.", objective.name),
                )
                .at(path)
                .hint("Set either availability or latency."),
            );
            return None;
        }
    };
    // 100 % has no error budget, so it has no burn rate. Divided as text: 99.9 / 100.0 is not quite 0.999.
    let target = format!("{percent}e-2")
        .parse::<f64>()
        .ok()
        .filter(|target| (0.1..1.0).contains(target));
    if target.is_none() {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                format!("{percent:?} is not a percentage of at least 10 and below 100."),
            )
            .at(format!("{path}.{field}.percent"))
            .hint("Use a number such as \"99.9\"."),
        );
    }
    Some(ValidObjective {
        spec: objective.clone(),
        target: target?,
    })
}
