//! Limits of a patched pod, whatever the policy allows: it uses only the Environment's registries, holds no tokens, and does
//! not keep other pods off its node.

use std::collections::BTreeMap;

use idp_core::Problem;
use k8s_openapi::{
    api::core::v1::{PodAffinityTerm, PodSpec, Volume},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    reasons,
    validate::{Validated, image_problem, thousandths},
};

/// Checks the patched pod. On `Err`, what it must not have.
pub(super) fn check(app: &Validated, pod: &PodSpec) -> Result<(), Problem> {
    let containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    let images = containers.filter_map(|one| one.image.as_deref());
    let volumes = || pod.volumes.iter().flatten();
    let of_volumes =
        volumes().filter_map(|volume| volume.image.as_ref().and_then(|image| image.reference.as_deref()));
    for image in images.chain(of_volumes).filter(|image| *image != app.image) {
        if let Some(problem) = image_problem(image, &app.registry, &app.environment) {
            return Err(problem);
        }
    }
    if let Some(problem) = ["cpu", "memory"]
        .iter()
        .find_map(|name| too_large(app, pod, name))
    {
        return Err(problem);
    }
    if let Some(what) = volumes().find_map(closed_source) {
        return Err(rejected(&what));
    }
    if keeps_others_off(pod) {
        return Err(rejected(
            "pod anti-affinity with namespaces or namespaceSelector, which keeps other pods off a node",
        ));
    }
    Ok(())
}

/// Checks the requests of all containers together against the limit per pod.
fn too_large(app: &Validated, pod: &PodSpec, name: &str) -> Option<Problem> {
    let most = match name {
        "cpu" => &app.max_resources.cpu,
        _ => &app.max_resources.memory,
    };
    let requested: i128 = pod
        .containers
        .iter()
        .chain(pod.init_containers.iter().flatten())
        .filter_map(|one| one.resources.as_ref())
        .filter_map(|resources| {
            let of = |map: &Option<BTreeMap<String, Quantity>>| thousandths(&map.as_ref()?.get(name)?.0);
            // Without a request, the limit is the request.
            of(&resources.requests).or_else(|| of(&resources.limits))
        })
        .fold(0, i128::saturating_add);
    let environment = &app.environment;
    (requested > thousandths(&most.0)?).then(|| {
        Problem::error(
            reasons::LIMIT_EXCEEDED,
            format!(
                "With the patch, a pod requests more {name} than the Environment's limit of {} per pod.",
                most.0
            ),
        )
        .hint(format!(
            "Request less, or ask the platform team to raise limits.pod in Environment {environment}."
        ))
    })
}

fn rejected(what: &str) -> Problem {
    Problem::error(
        reasons::PATCH_NOT_ALLOWED,
        format!("Pods of applications must not have a {what}."),
    )
    .hint("Remove it from the patch. No Environment can allow it.")
}

/// Volume sources that hold tokens, or that bypass fields with limits.
fn closed_source(volume: &Volume) -> Option<String> {
    let projected = volume.projected.iter().flat_map(|projected| &projected.sources);
    let token = projected.flatten().any(|source| {
        source.service_account_token.is_some()
            || source.pod_certificate.is_some()
            || source.cluster_trust_bundle.is_some()
    });
    let what = match volume {
        _ if token => "token or certificate of the cluster",
        Volume { csi: Some(_), .. } => "volume of a CSI driver",
        Volume {
            ephemeral: Some(_), ..
        } => "volume claim beside storage.volumes",
        _ => return None,
    };
    Some(format!("{what} (volume {})", volume.name))
}

/// The scheduler also respects the required anti-affinity of running pods: one against all namespaces keeps every other pod
/// off the node.
fn keeps_others_off(pod: &PodSpec) -> bool {
    let anti = pod
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let reaches = |term: &PodAffinityTerm| {
        term.namespace_selector.is_some() || term.namespaces.as_ref().is_some_and(|all| !all.is_empty())
    };
    anti.is_some_and(|anti| {
        let required = anti.required_during_scheduling_ignored_during_execution.iter();
        let preferred = anti.preferred_during_scheduling_ignored_during_execution.iter();
        required.flatten().any(reaches) || preferred.flatten().any(|one| reaches(&one.pod_affinity_term))
    })
}
