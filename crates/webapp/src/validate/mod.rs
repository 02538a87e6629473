//! (resource, `Observed`) -> `Validated`. Pure; later phases never re-read the raw spec.
//!
//! One file a concern. Each adds its problems to the `Findings` and continues, so that one pass finds everything.

mod access;
mod capabilities;
mod config_files;
mod cron;
mod env;
mod environment;
mod findings;
mod free;
mod health;
mod identity;
mod image;
mod jobs;
mod limits;
mod migration;
mod observability;
mod placement;
mod ports;
mod resources;
mod rollout;
mod routes;
mod scale;
mod validated;

pub(crate) use findings::list;
pub(crate) use idp_core::quantity::thousandths;
pub(crate) use image::image_problem;
pub(crate) use limits::RUN_SECONDS;
pub use validated::*;

use idp_api::{WebApplication, environment::Tenant};
use idp_core::{Problem, labels};

use self::findings::Findings;
use crate::{NAME, observe::Observed};

/// The problem of routes whose host another owner has claimed.
pub(crate) fn host_taken(routes: &[ValidRoute], host: &str, claimant: &str) -> Problem {
    let index = routes.iter().position(|route| route.host == host);
    routes::host_taken(
        host,
        &format!("spec.routes[{}]", index.unwrap_or_default()),
        claimant,
    )
}

/// Fills in defaults, resolves references and checks every rule that the API server cannot. Returns all problems at once.
/// Without an Environment, that is the only problem.
///
/// Rules of the API server that span several fields are checked again, because `render` has no API server.
pub fn validate(app: &WebApplication, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let (environment_name, environment) =
        environment::environment(observed).map_err(|problem| vec![problem])?;
    let spec = &app.spec;
    let mut findings = Findings::default();
    let found = &mut findings;

    let (name, namespace) = identity::identity(app, found);
    free::free(spec, found);
    let image = image::image(spec, &environment.registry, environment_name, found);
    let ports = ports::ports(spec, found);
    let resources = resources::resources(spec, environment, found);
    let max_resources = limits::max_resources(environment);
    limits::pod(&resources, &max_resources, environment_name, found);
    limits::times(spec, environment, environment_name, found);
    limits::jobs(&spec.jobs, &environment.limits.jobs, environment_name, found);
    let health = health::health(spec.health.as_ref(), &ports, found);
    let env = env::env(&spec.env, found);
    let config_files = config_files::config_files(&spec.config_files, found);
    let scale = scale::scale(spec, environment, found);
    let supplies = capabilities::capabilities(app, environment, observed, found);
    let namespace_labels = observed.labels_of(&namespace);
    let context = routes::Context {
        application: &name,
        environment,
        tenant: Tenant {
            namespace: &namespace,
            labels: &namespace_labels,
        },
        taken: &observed.taken_hosts,
        ports: &ports,
        certificates: supplies.certificates.as_ref(),
    };
    let routes = routes::routes(&spec.routes, &context, found);
    let access = spec.access.as_ref();
    let inbound = access::inbound(access, &namespace, &ports, environment.mesh.mode, found);
    let reach = access::Reach {
        environment: environment_name,
        bounds: &environment.network,
        namespace: &namespace,
    };
    let outbound = access::outbound(access, &reach, found);
    let policy = placement::Policy {
        environment: environment_name,
        placement: &environment.placement,
        namespace: &namespace,
    };
    let placement = placement::placement(spec, &policy, found);
    let rollout = rollout::rollout(spec.rollout.as_ref(), found);
    let migration = migration::migration(spec.migration.as_ref(), &name, &image, observed);
    let jobs = jobs::jobs(&spec.jobs, found);
    let metrics = observability::metrics(spec, environment, &ports, found);
    let objectives = observability::objectives(spec, environment, found);

    let mut warnings = findings.finish()?;
    warnings.extend(
        migration
            .as_ref()
            .and_then(|migration| migration::failure(migration, &image)),
    );
    Ok(Validated {
        environment: environment_name.clone(),
        labels: labels::for_child(&name, NAME),
        selector: labels::selector(&name),
        image,
        pull_secrets: environment.registry.pull_secrets.clone(),
        command: spec.command.clone(),
        args: spec.args.clone(),
        ports,
        resources,
        health,
        env,
        config_files,
        used_config_maps: observed
            .config_maps
            .intersection(&observed.used_config_maps)
            .cloned()
            .collect(),
        scale,
        current_replicas: observed.deployment.as_ref().map(|facts| facts.wanted),
        routes,
        inbound,
        outbound,
        rollout,
        migration,
        jobs,
        metrics,
        samples: environment.limits.metrics.samples,
        objectives,
        dashboard: observability::dashboard(spec, environment),
        placement,
        registry: environment.registry.clone(),
        max_resources,
        cluster_ranges: environment.network.cluster_ranges.clone(),
        gateway: environment.gateway.clone(),
        mesh: environment.mesh.clone(),
        monitoring: environment.monitoring.clone(),
        dns_namespace: environment.dns.namespace.clone(),
        supplies,
        patches: spec.patches.clone(),
        allowed_patches: environment.allowed_patches.clone(),
        warnings,
        name,
        namespace,
    })
}

#[cfg(test)]
mod tests;
