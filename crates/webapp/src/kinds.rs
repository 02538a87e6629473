//! The kinds of an application's children.

pub use idp_api::kinds::{CAPABILITY_BINDING, CERTIFICATE_BINDING, CLAIM_BINDING, SECRET_BINDING};
use idp_core::Kind;

/// Core `ServiceAccount`.
pub const SERVICE_ACCOUNT: Kind = Kind::namespaced("", "v1", "ServiceAccount", "serviceaccounts");
/// Core `ConfigMap`.
pub const CONFIG_MAP: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
/// Core `Service`.
pub const SERVICE: Kind = Kind::namespaced("", "v1", "Service", "services");
/// `Deployment`.
pub const DEPLOYMENT: Kind = Kind::namespaced("apps", "v1", "Deployment", "deployments");
/// `Job`.
pub const JOB: Kind = Kind::namespaced("batch", "v1", "Job", "jobs");
/// `CronJob`.
pub const CRON_JOB: Kind = Kind::namespaced("batch", "v1", "CronJob", "cronjobs");
/// `HorizontalPodAutoscaler`.
pub const AUTOSCALER: Kind = Kind::namespaced(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
);
/// `PodDisruptionBudget`.
pub const DISRUPTION_BUDGET: Kind =
    Kind::namespaced("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
/// `NetworkPolicy`.
pub const NETWORK_POLICY: Kind =
    Kind::namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
/// Istio `VirtualService`.
pub const VIRTUAL_SERVICE: Kind =
    Kind::namespaced("networking.istio.io", "v1", "VirtualService", "virtualservices");
/// Istio `Gateway`.
pub const GATEWAY: Kind = Kind::namespaced("networking.istio.io", "v1", "Gateway", "gateways");
/// Istio `DestinationRule`.
pub const DESTINATION_RULE: Kind =
    Kind::namespaced("networking.istio.io", "v1", "DestinationRule", "destinationrules");
/// Istio `ServiceEntry`.
pub const SERVICE_ENTRY: Kind =
    Kind::namespaced("networking.istio.io", "v1", "ServiceEntry", "serviceentries");
/// Istio `AuthorizationPolicy`.
pub const AUTHORIZATION_POLICY: Kind = Kind::namespaced(
    "security.istio.io",
    "v1",
    "AuthorizationPolicy",
    "authorizationpolicies",
);
/// Istio `PeerAuthentication`.
pub const PEER_AUTHENTICATION: Kind = Kind::namespaced(
    "security.istio.io",
    "v1",
    "PeerAuthentication",
    "peerauthentications",
);
/// Prometheus operator `ServiceMonitor`.
pub const SERVICE_MONITOR: Kind =
    Kind::namespaced("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors");
/// Prometheus operator `PrometheusRule`.
pub const PROMETHEUS_RULE: Kind =
    Kind::namespaced("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules");

/// The kinds of bindings, in which capabilities keep their state.
pub const BINDINGS: [Kind; 4] = [
    SECRET_BINDING,
    CERTIFICATE_BINDING,
    CLAIM_BINDING,
    CAPABILITY_BINDING,
];

/// Every kind that a plan may contain, apart from [`BINDINGS`].
pub const CHILDREN: [Kind; 17] = [
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    JOB,
    CRON_JOB,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    VIRTUAL_SERVICE,
    GATEWAY,
    DESTINATION_RULE,
    SERVICE_ENTRY,
    AUTHORIZATION_POLICY,
    PEER_AUTHENTICATION,
    SERVICE_MONITOR,
    PROMETHEUS_RULE,
];

/// The kind of a child, by its `apiVersion` and `kind`.
pub fn of_child(api_version: &str, kind: &str) -> Option<Kind> {
    let mut known = CHILDREN.into_iter().chain(BINDINGS);
    known.find(|known| known.kind == kind && known.api_version() == api_version)
}

/// `ReplicaSet`: read-only, for the ConfigMaps that its pods read.
pub const REPLICA_SET: Kind = Kind::namespaced("apps", "v1", "ReplicaSet", "replicasets");

/// Core `Namespace`: read-only, for its labels.
pub const NAMESPACE: Kind = Kind::cluster("", "v1", "Namespace", "namespaces");

/// Core `Pod`: read-only, for its failure.
pub const POD: Kind = Kind::namespaced("", "v1", "Pod", "pods");
