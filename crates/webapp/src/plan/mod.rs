//! `Validated` -> `Plan<Prepared>`: the list of an application's children. Pure.

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

/// The binding that the application's pods still wait for, if any.
pub(crate) fn awaited(app: &Validated) -> Option<String> {
    binding::awaited(app)
}

type Builder = fn(&Validated) -> Vec<Child>;

/// Children that must exist before a pod starts: those it mounts, its ServiceAccount, and the policies for its
/// traffic. A pod that starts before its NetworkPolicy is unprotected for a moment; the API server rejects a pod
/// without its ServiceAccount.
const BEFORE_PODS: [Builder; 7] = [
    binding::children,
    service_account::children,
    config_map::children,
    network_policy::children,
    peer_authentication::children,
    authorization_policy::children,
    service_entry::children,
];

/// All other children. A migration does not require its own wave: the Deployment is held until it has succeeded.
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

/// The children of an application, in the order in which they are applied. `Err` if a patch of the application is not
/// allowed or invalid.
///
/// There are only two waves, because each adds a round trip to the API server for every application.
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
