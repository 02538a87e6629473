//! Labels and annotations in patches. Many programs act on them, each with its own permissions: they register hosts in DNS,
//! order certificates, give a pod a cloud identity, or remove it from the mesh.

use crate::validate::Validated;

/// Domains (of keys `domain/name`) that no policy can allow: the platform's, the mesh's and Kubernetes'.
const CLOSED_DOMAINS: [&str; 6] = [
    "idp.dev",
    "istio.io",
    "app.kubernetes.io",
    "pod-security.kubernetes.io",
    "apparmor.security.beta.kubernetes.io",
    "seccomp.security.alpha.kubernetes.io",
];
/// Keys without a domain that the mesh or Grafana's sidecar acts on.
const CLOSED_NAMES: [&str; 7] = [
    "istio",
    "istio-injection",
    "istio-locality",
    "grafana_dashboard",
    "grafana_datasource",
    "grafana_folder",
    "k8s-sidecar-target-directory",
];

/// Whether no policy can allow the key: by its domain, by its name, or because the gateway is selected by it.
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

/// Whether a policy must name the key or its domain, not only the map. `metadata.annotations` alone allows keys without a
/// domain, which are for people; `metadata.annotations.example.com/` allows the domain.
pub(super) fn needs_its_name(key: &str) -> bool {
    key.contains('/')
}
