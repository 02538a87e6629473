//! What the Environment's host policy says of a route: it holds for every gateway and every way to encrypt.

use idp_api::{environment::HostDenial, web_application::Route};
use idp_core::Problem;

use super::Context;
use crate::{reasons, validate::findings::Findings};

/// Whether the namespace may have the host.
pub(super) fn host(route: &Route, host: &str, path: &str, context: &Context<'_>, findings: &mut Findings) {
    let environment = context.environment;
    // The Gateway that all use may be named, too.
    let gateway = environment.gateway.other(route.gateway.as_deref());
    if gateway.is_some_and(|gateway| !environment.hosts.may_name(gateway, context.tenant)) {
        // That is said of the Gateway.
        return;
    }
    let base = &environment.base_domain;
    let denied = environment.hosts.check(host, gateway, base, context.tenant);
    let Err(denial) = denied else { return };
    let namespace = context.tenant.namespace;
    let (message, hint) = match denial {
        HostDenial::Never(why) => (
            format!("host {host} can be no application's: {why}"),
            format!(
                "write a host name, such as {} for {0}.{base}",
                context.application
            ),
        ),
        HostDenial::Reserved => (
            format!("host {host} is kept for the platform"),
            format!(
                "write another host, such as {}; the platform team keeps the list in hosts.reserved of the Environment",
                context.application
            ),
        ),
        HostDenial::NotListed => (
            format!(
                "namespace {namespace} may not have host {host}{}",
                gateway.map_or_else(String::new, |gateway| format!(" at Gateway {gateway}"))
            ),
            format!(
                "write a name one label below {base}, such as {}, or ask the platform team to list the host for namespace \
                 {namespace} in hosts.allowed of the Environment",
                context.application
            ),
        ),
    };
    findings.add(
        Problem::error(reasons::HOST_NOT_ALLOWED, message)
            .at(format!("{path}.host"))
            .hint(hint),
    );
}

/// Whether the namespace's routes may show the certificate in a Secret beside the gateway. There are those of everybody.
pub(super) fn secret(name: &str, path: &str, context: &Context<'_>, findings: &mut Findings) {
    if context.environment.hosts.may_show(name, context.tenant) {
        return;
    }
    let namespace = context.tenant.namespace;
    findings.add(
        Problem::error(
            reasons::SECRET_NOT_ALLOWED,
            format!("namespace {namespace} may not use Secret {name} of the gateway"),
        )
        .at(format!("{path}.tls.secretName"))
        .hint(format!(
            "ask the platform team to make the Secret as {namespace}.{name} in namespace {}, or to list {name} for \
             namespace {namespace} in hosts.allowed of the Environment",
            context.environment.gateway.namespace
        )),
    );
}
