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
    /// Hosts that others hold, with the holder.
    pub(super) taken: &'a BTreeMap<String, String>,
    pub(super) ports: &'a [ValidPort],
    /// The Secret of each host's certificate, where somebody orders certificates.
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
                "this cluster has no gateway: nothing reaches an application from outside",
            )
            .at("spec.routes")
            .hint("take the routes out; other applications of the cluster call the Service"),
        );
        // What else is wrong with them does not matter: they must go.
        return Vec::new();
    }
    let routes: Vec<ValidRoute> = written
        .iter()
        .enumerate()
        .filter_map(|(index, route)| valid(route, &format!("spec.routes[{index}]"), context, findings))
        .collect();
    // Only a list without gaps has the indices of the one that was written.
    if routes.len() == written.len() {
        consistent(&routes, findings);
    }
    tls::check(written, &routes, context, findings);
    routes
}

fn valid(route: &Route, path: &str, context: &Context<'_>, findings: &mut Findings) -> Option<ValidRoute> {
    let host = complete_host(&route.host, &context.environment.base_domain);
    if let Some(holder) = context.taken.get(&host) {
        findings.add(host_taken(&host, path, holder));
    }
    let base = &context.environment.base_domain;
    if is_everybodys(&host, base) {
        findings.add(
            Problem::error(
                reasons::HOST_RESERVED,
                format!("host {host} is for all applications below {base}, and can be no single one's"),
            )
            .at(format!("{path}.host"))
            .hint(format!("write a name below it, such as {}", context.application)),
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
                "allowCredentials cannot go with the origin '*': browsers refuse it",
            )
            .at(format!("{path}.cors"))
            .hint("write the origins"),
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
                format!("port {} speaks Tcp: routes cannot lead to it", port.name),
            )
            .at(format!("{path}.port"))
            .hint("name a port whose protocol is Http, Http2 or Grpc"),
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

/// Somebody else holds the host of the route at `path`.
pub(super) fn host_taken(host: &str, path: &str, holder: &str) -> Problem {
    Problem::error(reasons::HOST_TAKEN, format!("host {host} belongs to {holder}"))
        .at(format!("{path}.host"))
        .hint(format!("write another host, or take it out of {holder} first"))
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
            Problem::error(reasons::INVALID_SPEC, "a route with redirect reaches no pod")
                .at(path)
                .hint(format!("take out {useless}, or the redirect")),
        );
    }
    if redirect.host.is_none() && redirect.path.is_none() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, "the redirect leads nowhere")
                .at(format!("{path}.redirect"))
                .hint("write host or path, or both"),
        );
    }
    if ![301, 302, 303, 307, 308].contains(&redirect.code) {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                format!("{} is not the code of a redirect", redirect.code),
            )
            .at(format!("{path}.redirect.code"))
            .hint("write 301, 302, 303, 307 or 308"),
        );
    }
}

/// Who can let a namespace use a Gateway.
const LISTED_BY: &str =
    "the platform team lists others in gateway.allowed and hosts.allowed of the Environment";

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
            None => format!("take gateway out; {LISTED_BY}"),
            Some(first) => format!(
                "take gateway out, or write one of: {}; {LISTED_BY}",
                list([first].into_iter().chain(allowed))
            ),
        };
        findings.add(
            Problem::error(
                reasons::GATEWAY_NOT_ALLOWED,
                format!(
                    "Gateway {wanted} is not for applications of namespace {} to use",
                    context.tenant.namespace
                ),
            )
            .at(format!("{path}.gateway"))
            .hint(hint),
        );
    }
    Some(wanted.clone())
}

/// One host is on one Gateway, with one certificate; and one host and path has one answer.
fn consistent(routes: &[ValidRoute], findings: &mut Findings) {
    for (index, route) in routes.iter().enumerate() {
        let same_host = |(_, other): &(usize, &ValidRoute)| other.host == route.host;
        let earlier: Vec<(usize, &ValidRoute)> =
            routes[..index].iter().enumerate().filter(same_host).collect();
        let named = |other: &ValidRoute| other.gateway.clone().unwrap_or_else(|| "its own".to_owned());
        if let Some((first, other)) = earlier.iter().find(|(_, other)| other.gateway != route.gateway) {
            let message = format!(
                "host {} is on Gateway {} here and on {} in routes[{first}]",
                route.host,
                named(route),
                named(other)
            );
            findings.add(
                Problem::error(reasons::CONFLICTING_GATEWAY, message)
                    .at(format!("spec.routes[{index}].gateway"))
                    .hint("write the same gateway in all routes of a host"),
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
                    format!("{}{} is in routes[{first}] already", route.host, route.path),
                )
                .at(format!("spec.routes[{index}]"))
                .hint("take one of the two out, or change its path"),
            );
        }
    }
}
