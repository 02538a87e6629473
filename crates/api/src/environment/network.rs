//! IP ranges that applications may connect to, and the cluster's own ranges.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// IP ranges that applications may connect to, and the cluster's own ranges.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkBounds {
    /// Ranges of the cluster itself: nodes, API server, Services and pods. Applications can never connect to them by
    /// address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 43)))]
    pub cluster_ranges: Vec<String>,
    /// Ranges that applications may use in `access.outbound.cidr`, including all ranges within them. Default: none.
    /// Link-local addresses (the cloud's metadata service), loopback, multicast and the cluster's own ranges are always
    /// excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_ranges: Vec<AllowedRange>,
}

/// A range of IP addresses that applications may connect to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedRange {
    /// The range in CIDR notation, such as `10.20.0.0/16`.
    #[schemars(length(min = 1, max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("write a range such as 10.20.0.0/16 or 2001:db8::/32"))]
    pub range: String,
    /// Namespaces whose applications may connect to it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
}
