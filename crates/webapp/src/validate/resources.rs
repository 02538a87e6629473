//! CPU and memory.

use idp_api::{EnvironmentSpec, WebApplicationSpec};
use idp_core::{Problem, quantity::thousandths};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::findings::{Findings, list};
use crate::{reasons, validate::ValidResources};

/// The quantities: those of the spec, or those of its size.
pub(super) fn resources(
    spec: &WebApplicationSpec,
    environment: &EnvironmentSpec,
    findings: &mut Findings,
) -> ValidResources {
    let path = "spec.resources";
    let written = spec.resources.clone().unwrap_or_default();
    let found = match (written.size, written.cpu, written.memory) {
        (Some(size), None, None) => {
            let mut found = of_size(&size, environment, findings);
            // A limit is allowed with quantities and with a size.
            found.cpu_limit = written.cpu_limit.or(found.cpu_limit);
            found
        }
        (None, Some(cpu), Some(memory)) => ValidResources {
            cpu,
            memory,
            cpu_limit: written.cpu_limit,
        },
        (None, None, None) if spec.resources.is_none() => {
            of_size(&environment.default_size, environment, findings)
        }
        _ => {
            findings.add(
                Problem::error(
                    reasons::INVALID_SPEC,
                    "Resources are neither a size nor a pair of quantities.",
                )
                .at(path)
                .hint("Set either size, or cpu and memory."),
            );
            return empty();
        }
    };
    for (name, quantity) in [
        ("cpu", Some(&found.cpu)),
        ("memory", Some(&found.memory)),
        ("cpuLimit", found.cpu_limit.as_ref()),
    ] {
        if let Some(quantity) = quantity.filter(|quantity| !quantity.0.is_empty()) {
            positive(quantity, &format!("{path}.{name}"), findings);
        }
    }
    let limit = found.cpu_limit.as_ref().and_then(|limit| thousandths(&limit.0));
    if let (Some(limit), Some(request)) = (limit, thousandths(&found.cpu.0))
        && limit < request
    {
        let given = found.cpu_limit.as_ref().map_or("", |limit| &limit.0);
        let message = format!("The CPU limit {given} is below the request {}.", found.cpu.0);
        findings.add(
            Problem::error(reasons::INVALID_QUANTITY, message)
                .at(format!("{path}.cpuLimit"))
                .hint("Raise cpuLimit to the request or above, or remove it."),
        );
    }
    found
}

fn of_size(name: &str, environment: &EnvironmentSpec, findings: &mut Findings) -> ValidResources {
    let Some(size) = environment.sizes.get(name) else {
        let sizes = list(environment.sizes.keys().map(String::as_str));
        findings.add(
            Problem::error(
                reasons::UNKNOWN_SIZE,
                format!("The Environment has no size {name}."),
            )
            .at("spec.resources.size")
            .hint(format!("Use one of: {sizes}.")),
        );
        return empty();
    };
    ValidResources {
        cpu: size.cpu.clone(),
        memory: size.memory.clone(),
        cpu_limit: size.cpu_limit.clone(),
    }
}

/// Adds a problem if the quantity is invalid, or not above zero.
pub(super) fn positive(quantity: &Quantity, path: &str, findings: &mut Findings) {
    let message = match thousandths(&quantity.0) {
        Some(value) if value > 0 => return,
        Some(_) => format!("{} is not above zero.", quantity.0),
        None => format!("{:?} is not a quantity.", quantity.0),
    };
    findings.add(
        Problem::error(reasons::INVALID_QUANTITY, message)
            .at(path)
            .hint("Use a number with a unit, such as 250m for CPU or 256Mi for memory."),
    );
}

/// A placeholder for missing resources, so that validation can continue.
fn empty() -> ValidResources {
    ValidResources {
        cpu: Quantity::default(),
        memory: Quantity::default(),
        cpu_limit: None,
    }
}
