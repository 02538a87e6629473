//! Routes: complete hosts, ports, gateways and certificates.

mod policy;
mod tls;

use std::collections::BTreeMap;

use idp_api::{
    EnvironmentSpec,
    environment::{GatewayMode, Tenant},
    web_application::{AppProtocol, Route},
};
use idp_core::Problem;

use super::{
    findings::{Findings, list},
    ports,
};
use crate::{
    hosts::{complete_host, is_everybodys},
    reasons,
    validate::{ValidPort, ValidRoute},
};

/// What routes are checked against.
pub(super) struct Context<'a> {
    pub(super) application: &'a str,
    pub(super) environment: &'a EnvironmentSpec,
    /// The application's namespace.
    pub(super) tenant: Tenant<'a>,
    /// Hosts that others have claimed, with the claimant.
    pub(super) taken: &'a BTreeMap<String, String>,
    pub(super) ports: &'a [ValidPort],
    /// The Secret of each host's certificate, if certificates are ordered automatically.
    pub(super) certificates: Option<&'a BTreeMap<String, String>>,
}

/// The routes with complete hosts.
pub(super) fn routes(written: &[Route], context: &Context<'_>, findings: &mut Findings) -> Vec<ValidRoute> {
    if written.is_empty() {
        return Vec::new();
    }
    if context.environment.gateway.mode == GatewayMode::None {
        findings.add(
            Problem::error(
                reasons::NO_GATEWAY,
                "The Environment has no gateway, so applications cannot be reached from outside.",
            )
            .at("spec.routes")
            .hint("Remove the routes. Other applications of the cluster can call the Service."),
        );
        // Other problems of the routes do not matter.
        return Vec::new();
    }
    let routes: Vec<ValidRoute> = written
        .iter()
        .enumerate()
        .filter_map(|(index, route)| valid(route, &format!("spec.routes[{index}]"), context, findings))
        .collect();
    // Only a list without gaps has the indices of the spec.
    if routes.len() == written.len() {
        consistent(&routes, findings);
    }
    tls::check(written, &routes, context, findings);
    routes
}

fn valid(route: &Route, path: &str, context: &Context<'_>, findings: &mut Findings) -> Option<ValidRoute> {
    let host = complete_host(&route.host, &context.environment.base_domain);
    if let Some(claimant) = context.taken.get(&host) {
        findings.add(host_taken(&host, path, claimant));
    }
    let base = &context.environment.base_domain;
    if is_everybodys(&host, base) {
        findings.add(
            Problem::error(
                reasons::HOST_RESERVED,
                format!("Host {host} covers all applications below {base}."),
            )
            .at(format!("{path}.host"))
            .hint(format!("Use a name below it, such as {}.", context.application)),
        );
    } else {
        policy::host(route, &host, path, context, findings);
    }
    redirect(route, path, findings);
    if route
        .cors
        .as_ref()
        .is_some_and(|cors| cors.allow_credentials && cors.allow_origins.iter().any(|o| o == "*"))
    {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                "allowCredentials is not allowed with origin '*': browsers reject it.",
            )
            .at(format!("{path}.cors"))
            .hint("List the origins."),
        );
    }
    let port = ports::named(
        context.ports,
        route.port.as_deref(),
        &format!("{path}.port"),
        findings,
    )?;
    if port.protocol == AppProtocol::Tcp && route.redirect.is_none() {
        findings.add(
            Problem::error(
                reasons::PORT_NOT_HTTP,
                format!("Port {} has protocol Tcp. Routes need an HTTP port.", port.name),
            )
            .at(format!("{path}.port"))
            .hint("Use a port with protocol Http, Http2 or Grpc."),
        );
    }
    Some(ValidRoute {
        tls_secret: tls::secret(route, &host, path, context, findings),
        gateway: gateway(route, path, context, findings),
        host,
        path: route.path.clone(),
        path_match: route.path_match,
        port,
        redirect: route.redirect.clone(),
        rewrite: route.rewrite.clone(),
        timeout: route.timeout.clone(),
        retries: route.retries.clone(),
        cors: route.cors.clone(),
    })
}

/// The problem of a route at `path` whose host another owner has claimed.
pub(super) fn host_taken(host: &str, path: &str, claimant: &str) -> Problem {
    Problem::error(reasons::HOST_TAKEN, format!("Host {host} belongs to {claimant}."))
        .at(format!("{path}.host"))
        .hint(format!(
            "Choose another host, or remove it from {claimant}; it then moves automatically."
        ))
}

fn redirect(route: &Route, path: &str, findings: &mut Findings) {
    let Some(redirect) = &route.redirect else { return };
    let useless = [
        ("port", route.port.is_some()),
        ("rewrite", route.rewrite.is_some()),
        ("timeout", route.timeout.is_some()),
        ("retries", route.retries.is_some()),
    ];
    let useless = list(
        useless
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| name),
    );
    if useless != list([]) {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                "A route with a redirect does not reach a pod.",
            )
            .at(path)
            .hint(format!("Remove {useless}, or the redirect.")),
        );
    }
    if redirect.host.is_none() && redirect.path.is_none() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, "The redirect has no target.")
                .at(format!("{path}.redirect"))
                .hint("Set host, path or both."),
        );
    }
    if ![301, 302, 303, 307, 308].contains(&redirect.code) {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                format!("{} is not an HTTP redirect code.", redirect.code),
            )
            .at(format!("{path}.redirect.code"))
            .hint("Use 301, 302, 303, 307 or 308."),
        );
    }
}

/// How a namespace gets permission to use a Gateway.
const LISTED_BY: &str =
    "or ask the platform team to add this one to gateway.allowed and hosts.allowed of the Environment";

/// The Gateway as `namespace/name`; `None` for the application's own.
fn gateway(route: &Route, path: &str, context: &Context<'_>, findings: &mut Findings) -> Option<String> {
    let policy = &context.environment.gateway;
    let shared = policy
        .shared
        .as_ref()
        .filter(|_| policy.mode == GatewayMode::Shared);
    let Some(wanted) = &route.gateway else {
        return shared.cloned();
    };
    let hosts = &context.environment.hosts;
    let listed = policy
        .allowed
        .iter()
        .filter(|name| hosts.may_name(name, context.tenant));
    let mut allowed = shared.into_iter().chain(listed).map(String::as_str);
    if !allowed.clone().any(|name| name == wanted) {
        let hint = match allowed.next() {
            None => format!("Remove gateway, {LISTED_BY}."),
            Some(first) => format!(
                "Remove gateway, use one of {}, {LISTED_BY}.",
                list([first].into_iter().chain(allowed))
            ),
        };
        findings.add(
            Problem::error(
                reasons::GATEWAY_NOT_ALLOWED,
                format!(
                    "Applications of namespace {} may not use Gateway {wanted}.",
                    context.tenant.namespace
                ),
            )
            .at(format!("{path}.gateway"))
            .hint(hint),
        );
    }
    Some(wanted.clone())
}

/// A host has one Gateway and one certificate; a host and path have one route.
fn consistent(routes: &[ValidRoute], findings: &mut Findings) {
    for (index, route) in routes.iter().enumerate() {
        let same_host = |(_, other): &(usize, &ValidRoute)| other.host == route.host;
        let earlier: Vec<(usize, &ValidRoute)> =
            routes[..index].iter().enumerate().filter(same_host).collect();
        let named = |other: &ValidRoute| other.gateway.clone().unwrap_or_else(|| "its own".to_owned());
        if let Some((first, other)) = earlier.iter().find(|(_, other)| other.gateway != route.gateway) {
            let message = format!(
                "Host {} uses Gateway {} here, and {} in routes[{first}].",
                route.host,
                named(route),
                named(other)
            );
            findings.add(
                Problem::error(reasons::CONFLICTING_GATEWAY, message)
                    .at(format!("spec.routes[{index}].gateway")),
            );
        }
        let answer = (&route.path, route.path_match);
        if let Some((first, _)) = earlier
            .iter()
            .find(|(_, other)| (&other.path, other.path_match) == answer)
        {
            findings.add(
                Problem::error(
                    reasons::DUPLICATE,
                    format!(
                        "Duplicate route {}{}: see routes[{first}].",
                        route.host, route.path
                    ),
                )
                .at(format!("spec.routes[{index}]"))
                .hint("Remove one of the two, or change its path."),
            );
        }
    }
}
