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
                    Problem::error(reasons::INVALID_SPEC, "both replicas and autoscaling are written")
                        .at("spec.replicas")
                        .hint("take replicas out: autoscaling.minReplicas is the number to start with"),
                );
            }
            automatic(autoscaling, environment, findings)
        }
        // Nobody is told that an application without a wish gets the floor: that is what it is for.
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
                format!("minReplicas {min} is greater than maxReplicas {max}"),
            )
            .at(format!("{path}.minReplicas"))
            .hint("lower minReplicas or raise maxReplicas"),
        );
    }
    let metrics = [
        autoscaling.cpu_percent,
        autoscaling.memory_percent,
        autoscaling.requests_per_second,
    ];
    if metrics.iter().all(Option::is_none) && autoscaling.custom.is_empty() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, "autoscaling has no metric")
                .at(path)
                .hint("write at least one of cpuPercent, memoryPercent, requestsPerSecond and custom"),
        );
    }
    if autoscaling.requests_per_second.is_some() && environment.mesh.mode == MeshMode::None {
        findings.add(
            Problem::error(
                reasons::NEEDS_MESH,
                "requests are counted by the mesh, and this cluster has none",
            )
            .at(format!("{path}.requestsPerSecond"))
            .hint("scale by cpuPercent, or by a custom metric"),
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

/// The number within the Environment's bounds, with a warning where it is not what was written.
fn bounded(wanted: i32, bounds: &ReplicaBounds, path: &str, findings: &mut Findings) -> i32 {
    let ReplicaBounds { floor, ceiling } = *bounds;
    let (got, reason, message) = if wanted < floor {
        (
            floor,
            reasons::REPLICAS_RAISED,
            format!("{wanted} is raised to {floor}, the fewest pods of an application in this cluster"),
        )
    } else if wanted > ceiling {
        (
            ceiling,
            reasons::REPLICAS_BOUNDED,
            format!("{wanted} is bounded to {ceiling}, the most pods of an application in this cluster"),
        )
    } else {
        return wanted;
    };
    let hint = format!("write a number from {floor} to {ceiling}, or ask the platform team for other bounds");
    findings.add(Problem::warning(reason, message).at(path).hint(hint));
    got
}
