//! The Environment's host policy. It applies to every gateway and every TLS mode.

use idp_api::{environment::HostDenial, web_application::Route};
use idp_core::Problem;

use super::Context;
use crate::{reasons, validate::findings::Findings};

/// Checks whether the namespace may use the host.
pub(super) fn host(route: &Route, host: &str, path: &str, context: &Context<'_>, findings: &mut Findings) {
    let environment = context.environment;
    // The shared Gateway may be named explicitly, too.
    let gateway = environment.gateway.other(route.gateway.as_deref());
    if gateway.is_some_and(|gateway| !environment.hosts.may_name(gateway, context.tenant)) {
        // The Gateway has its own problem.
        return;
    }
    let base = &environment.base_domain;
    let denied = environment.hosts.check(host, gateway, base, context.tenant);
    let Err(denial) = denied else { return };
    let namespace = context.tenant.namespace;
    let (message, hint) = match denial {
        HostDenial::Never(why) => (
            format!("Host {host} cannot belong to an application: {why}."),
            format!("Use a host name, such as {} for {0}.{base}.", context.application),
        ),
        HostDenial::Reserved => (
            format!("Host {host} is reserved for the platform."),
            format!(
                "Use another host, such as {}. Reserved hosts are in hosts.reserved of the Environment.",
                context.application
            ),
        ),
        HostDenial::NotListed => (
            format!(
                "Namespace {namespace} may not use host {host}{}.",
                gateway.map_or_else(String::new, |gateway| format!(" at Gateway {gateway}"))
            ),
            format!(
                "Use a name one label below {base}, such as {}, or ask the platform team to add the host for namespace \
                 {namespace} to hosts.allowed of the Environment.",
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

/// Checks whether the namespace's routes may use a certificate in the gateway's namespace, which has those of all tenants.
pub(super) fn secret(name: &str, path: &str, context: &Context<'_>, findings: &mut Findings) {
    if context.environment.hosts.may_show(name, context.tenant) {
        return;
    }
    let namespace = context.tenant.namespace;
    findings.add(
        Problem::error(
            reasons::SECRET_NOT_ALLOWED,
            format!("Namespace {namespace} may not use Secret {name} of the gateway."),
        )
        .at(format!("{path}.tls.secretName"))
        .hint(format!(
            "Ask the platform team to create the Secret as {namespace}.{name} in namespace {}, or to add {name} for namespace \
             {namespace} to hosts.allowed of the Environment.",
            context.environment.gateway.namespace
        )),
    );
}
