//! `Validated` -> `Plan<Prepared>`: the table of contents of an application's children. Pure.

mod authorization_policy;
mod autoscaler;
mod binding;
mod config_map;
mod cron_jobs;
mod dashboard;
mod deployment;
mod destination_rule;
mod disruption_budget;
#[cfg(test)]
mod fixture;
mod gateway;
mod migration;
mod network_policy;
mod patches;
mod peer_authentication;
mod pod;
mod probes;
mod prometheus_rule;
mod service;
mod service_account;
mod service_entry;
mod service_monitor;
mod telemetry;
mod traffic;
mod virtual_service;

use idp_core::{Child, Plan, Prepared, Problem};

use crate::validate::Validated;

/// What the pods of an application still wait for, if anything.
pub(crate) fn awaited(app: &Validated) -> Option<String> {
    binding::awaited(app)
}

type Builder = fn(&Validated) -> Vec<Child>;

/// What must be there before a pod starts: what it mounts and runs as, and what guards its traffic. A pod that
/// starts before its NetworkPolicy is open for a moment, and one that starts before its ServiceAccount is refused.
const BEFORE_PODS: [Builder; 7] = [
    binding::children,
    service_account::children,
    config_map::children,
    network_policy::children,
    peer_authentication::children,
    authorization_policy::children,
    service_entry::children,
];

/// Everything else. A migration needs no wave of its own: until it has succeeded the Deployment is held back.
const PODS_AND_THE_REST: [Builder; 12] = [
    migration::children,
    deployment::children,
    service::children,
    autoscaler::children,
    disruption_budget::children,
    cron_jobs::children,
    gateway::children,
    virtual_service::children,
    destination_rule::children,
    service_monitor::children,
    prometheus_rule::children,
    dashboard::children,
];

/// The children of an application, in the order in which they are written. On `Err`, a patch of the application is
/// not allowed or does not fit.
///
/// There are two waves only, because each costs a round trip to the API server for every application.
pub fn plan(app: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
    let wave = |number: u8, builders: &[Builder]| -> Vec<Child> {
        builders
            .iter()
            .flat_map(|build| build(app))
            .map(|child| child.in_wave(number))
            .collect()
    };
    let mut children = wave(0, &BEFORE_PODS);
    children.extend(wave(1, &PODS_AND_THE_REST));
    let refused = patches::apply(app, &mut children);
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(Plan {
        children,
        problems: app.warnings.clone(),
        ..Plan::default()
    })
}
