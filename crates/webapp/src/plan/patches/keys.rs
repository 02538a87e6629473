//! Labels and annotations in patches. Many programs act on them, each with its own rights: they take hosts in DNS, order
//! certificates, give a pod an identity in a cloud, or take it out of the mesh.

use crate::validate::Validated;

/// Domains (of keys `domain/name`) that no policy opens: the platform's own, the mesh's, and Kubernetes'.
const CLOSED_DOMAINS: [&str; 6] = [
    "idp.dev",
    "istio.io",
    "app.kubernetes.io",
    "pod-security.kubernetes.io",
    "apparmor.security.beta.kubernetes.io",
    "seccomp.security.alpha.kubernetes.io",
];
/// Keys without domain that make an object something else to the mesh or to Grafana's sidecar.
const CLOSED_NAMES: [&str; 7] = [
    "istio",
    "istio-injection",
    "istio-locality",
    "grafana_dashboard",
    "grafana_datasource",
    "grafana_folder",
    "k8s-sidecar-target-directory",
];

/// Whether no policy opens the key: a domain, or one below it, or a name, or what the gateway is found by.
pub(super) fn is_closed(app: &Validated, key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_within = |closed: &str| {
        domain
            .strip_suffix(closed)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    CLOSED_DOMAINS.iter().any(|closed| is_within(closed))
        || CLOSED_NAMES.contains(&key)
        || app.gateway.selector.contains_key(key)
}

/// Whether a policy must name the key, or its domain, and not only the map: `metadata.annotations` alone opens keys without
/// a domain, which are for people; `metadata.annotations.example.com/` opens the domain.
pub(super) fn needs_its_name(key: &str) -> bool {
    key.contains('/')
}
