//! What a patched pod must not be, whatever the policy lets through: a way around the Environment's registries, a holder of
//! tokens, a fence around nodes that keeps others off.

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

/// Says what the pod must not have, if it has it.
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
        return Err(refused(&what));
    }
    if keeps_others_off(pod) {
        return Err(refused(
            "pod anti-affinity with namespaces or namespaceSelector, which keeps the pods of others off a node",
        ));
    }
    Ok(())
}

/// What all containers together ask for, against what one pod may.
fn too_large(app: &Validated, pod: &PodSpec, name: &str) -> Option<Problem> {
    let most = match name {
        "cpu" => &app.most.cpu,
        _ => &app.most.memory,
    };
    let asked: i128 = pod
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
    (asked > thousandths(&most.0)?).then(|| {
        Problem::error(
            reasons::LIMIT_EXCEEDED,
            format!(
                "with the patch, a pod asks for more {name} than {}, the most of one pod in this cluster",
                most.0
            ),
        )
        .hint(format!(
            "ask for less, or ask the platform team for another limits.pod in Environment {environment}"
        ))
    })
}

fn refused(what: &str) -> Problem {
    Problem::error(
        reasons::PATCH_NOT_ALLOWED,
        format!("pods of applications have no {what}"),
    )
    .hint("take it out of the patch: no policy allows it")
}

/// Sources of volumes that hold tokens, or that make what has a field and bounds of its own.
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

/// The scheduler holds to the required anti-affinity of running pods too: a pod that stands off everybody's keeps
/// everybody's away.
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
