//! How many pods.

use idp_api::{
    EnvironmentSpec, WebApplicationSpec,
    environment::{MeshMode, ReplicaBounds},
    web_application::Autoscaling,
};
use idp_core::Problem;

use super::{findings::Findings, resources::positive};
use crate::{reasons, validate::Scale};

/// The number of pods within the Environment's bounds.
pub(super) fn scale(
    spec: &WebApplicationSpec,
    environment: &EnvironmentSpec,
    findings: &mut Findings,
) -> Scale {
    let bounds = &environment.replicas;
    match (spec.replicas, &spec.autoscaling) {
        (written, Some(autoscaling)) => {
            if written.is_some() {
                findings.add(
                    Problem::error(reasons::INVALID_SPEC, "replicas and autoscaling are both set.")
                        .at("spec.replicas")
                        .hint("Remove replicas. Autoscaling starts with minReplicas."),
                );
            }
            automatic(autoscaling, environment, findings)
        }
        // Without a number, the floor applies without a warning.
        (None, None) => Scale::Fixed(bounds.floor),
        // 0 stops the application, whatever the floor.
        (Some(0), None) => Scale::Fixed(0),
        (Some(replicas), None) => Scale::Fixed(bounded(replicas, bounds, "spec.replicas", findings)),
    }
}

fn automatic(autoscaling: &Autoscaling, environment: &EnvironmentSpec, findings: &mut Findings) -> Scale {
    let bounds = &environment.replicas;
    let path = "spec.autoscaling";
    let min = match autoscaling.min_replicas {
        None => bounds.floor,
        Some(min) => bounded(min, bounds, &format!("{path}.minReplicas"), findings),
    };
    let max = bounded(
        autoscaling.max_replicas,
        bounds,
        &format!("{path}.maxReplicas"),
        findings,
    );
    if min > max {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                format!("minReplicas {min} is greater than maxReplicas {max}."),
            )
            .at(format!("{path}.minReplicas"))
            .hint("Lower minReplicas or raise maxReplicas."),
        );
    }
    let metrics = [
        autoscaling.cpu_percent,
        autoscaling.memory_percent,
        autoscaling.requests_per_second,
    ];
    if metrics.iter().all(Option::is_none) && autoscaling.custom.is_empty() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, "Autoscaling has no metric.")
                .at(path)
                .hint("Set at least one of cpuPercent, memoryPercent, requestsPerSecond and custom."),
        );
    }
    if autoscaling.requests_per_second.is_some() && environment.mesh.mode == MeshMode::None {
        findings.add(
            Problem::error(
                reasons::NEEDS_MESH,
                "The mesh counts requests, and the Environment has no mesh.",
            )
            .at(format!("{path}.requestsPerSecond"))
            .hint("Scale by cpuPercent or by a custom metric."),
        );
    }
    for (index, metric) in autoscaling.custom.iter().enumerate() {
        positive(
            &metric.average,
            &format!("{path}.custom[{index}].average"),
            findings,
        );
    }
    findings.unique(
        autoscaling.custom.iter().map(|metric| &metric.name),
        |i| format!("{path}.custom[{i}].name"),
        "metric",
    );
    Scale::Auto {
        min,
        max,
        metrics: autoscaling.clone(),
    }
}

/// The number within the Environment's bounds, with a warning if it differs from the spec.
fn bounded(wanted: i32, bounds: &ReplicaBounds, path: &str, findings: &mut Findings) -> i32 {
    let ReplicaBounds { floor, ceiling } = *bounds;
    let (got, reason, message) = if wanted < floor {
        (
            floor,
            reasons::REPLICAS_RAISED,
            format!("{wanted} is raised to {floor}, the Environment's minimum."),
        )
    } else if wanted > ceiling {
        (
            ceiling,
            reasons::REPLICAS_BOUNDED,
            format!("{wanted} is lowered to {ceiling}, the Environment's maximum."),
        )
    } else {
        return wanted;
    };
    let hint = format!(
        "Use a number from {floor} to {ceiling}, or ask the platform team to change replicas in the Environment."
    );
    findings.add(Problem::warning(reason, message).at(path).hint(hint));
    got
}
