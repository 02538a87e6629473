//! Certificates of routes.

use std::collections::BTreeSet;

use idp_api::web_application::{Route, RouteTls, TlsMode};
use idp_core::{Problem, hash};

use super::{Context, policy};
use crate::{
    reasons,
    validate::{ValidRoute, findings::Findings},
};

/// Name of the Secret with the route's certificate; `None` for a route without TLS.
pub(super) fn secret(
    route: &Route,
    host: &str,
    path: &str,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let RouteTls { mode, secret_name } = route.tls.clone().unwrap_or_default();
    if (mode == TlsMode::Secret) != secret_name.is_some() {
        findings.add(
            Problem::error(
                reasons::INVALID_SPEC,
                "Mode Secret needs secretName, and no other mode allows it.",
            )
            .at(format!("{path}.tls"))
            .hint("Set both mode: Secret and secretName, or neither."),
        );
    }
    match mode {
        TlsMode::Secret => {
            if let Some(name) = &secret_name {
                policy::secret(name, path, context, findings);
            }
            secret_name
        }
        TlsMode::None => {
            if !context.environment.gateway.allow_plaintext {
                findings.add(
                    Problem::error(
                        reasons::PLAINTEXT_NOT_ALLOWED,
                        format!("The Environment requires TLS for all routes, so also for {host}."),
                    )
                    .at(format!("{path}.tls.mode"))
                    .hint("Remove tls, or use mode Auto or Secret."),
                );
            }
            None
        }
        TlsMode::Auto => {
            if host.starts_with("*.") && context.certificates.is_none() {
                findings.add(
                    Problem::error(
                        reasons::INVALID_SPEC,
                        format!("No certificate can be ordered for the wildcard host {host}."),
                    )
                    .at(format!("{path}.tls"))
                    .hint("Set mode: Secret and secretName, or list the hosts one by one."),
                );
            }
            let ordered = context.certificates.and_then(|secrets| secrets.get(host));
            Some(
                ordered
                    .cloned()
                    .unwrap_or_else(|| auto_secret(context.application, host)),
            )
        }
    }
}

/// Name of the Secret of an ordered certificate. The gateway's namespace has those of all applications, and a host belongs to
/// one application: so the name is derived from the host.
fn auto_secret(application: &str, host: &str) -> String {
    hash::bounded_name(application, &format!("{}-tls", &hash::text(host)[..8]), 63)
}

/// Checks that all routes of a host agree.
pub(super) fn check(
    written: &[Route],
    routes: &[ValidRoute],
    context: &Context<'_>,
    findings: &mut Findings,
) {
    if written.len() != routes.len() {
        return;
    }
    let mut told = BTreeSet::new();
    for (index, (written, route)) in written.iter().zip(routes).enumerate() {
        let path = format!("spec.routes[{index}]");
        let first = routes[..index].iter().position(|other| other.host == route.host);
        if let Some(first) = first.filter(|first| routes[*first].tls_secret != route.tls_secret) {
            let message = format!(
                "Host {} has different tls settings in routes[{first}].",
                route.host
            );
            findings.add(
                Problem::error(reasons::CONFLICTING_TLS, message)
                    .at(format!("{path}.tls"))
                    .hint("Use the same tls for all routes of a host: TLS starts before the path is known."),
            );
        }
        let mode = written.tls.as_ref().map_or(TlsMode::Auto, |tls| tls.mode);
        let Some(secret) = &route.tls_secret else { continue };
        if let Some(gateway) = &route.gateway {
            if mode == TlsMode::Secret {
                let message =
                    format!("Gateway {gateway} has its own certificates. Secret {secret} is not used.");
                findings.add(Problem::warning(reasons::TLS_BY_GATEWAY, message).at(format!("{path}.tls")));
            }
        } else if mode == TlsMode::Auto && context.certificates.is_none() && told.insert(route.host.as_str())
        {
            let namespace = &context.environment.gateway.namespace;
            let message = format!(
                "No certificate is ordered for {}. The gateway serves HTTPS once Secret {secret} exists in namespace \
                 {namespace}.",
                route.host
            );
            findings.add(
                Problem::warning(reasons::NO_ISSUER, message)
                    .at(format!("{path}.tls"))
                    .hint("Ask the platform team to create the Secret, or to deploy the capability certificates."),
            );
        }
    }
}
