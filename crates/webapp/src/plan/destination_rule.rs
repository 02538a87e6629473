//! DestinationRule: how clients connect to the application's pods.

use idp_api::environment::MeshMode;
use idp_core::Child;
use serde_json::json;

use super::traffic;
use crate::{kinds, validate::Validated};

/// Connection limits for each client proxy, and temporary ejection of failing pods.
///
/// The client's Envoy enforces a DestinationRule. ztunnel does not, so in ambient mode only the gateway does: then
/// the rule is created only for applications with routes, and without `tls`, because HBONE is selected automatically.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let ambient = app.mesh.mode == MeshMode::Ambient;
    if !app.in_mesh() || (ambient && traffic::routed_ports(app).is_empty()) {
        return Vec::new();
    }
    let mut policy = json!({
        // Istio's default is no limit, so one slow application could exhaust its clients' memory.
        "connectionPool": {
            "tcp": {"connectTimeout": "5s", "maxConnections": 1024},
            "http": {"http1MaxPendingRequests": 1024, "http2MaxRequests": 1024},
        },
        "outlierDetection": {
            "consecutive5xxErrors": 5,
            "interval": "10s",
            "baseEjectionTime": "30s",
            "maxEjectionPercent": 50,
            // With fewer healthy pods, all are used again: an application that fails entirely, or has only one pod,
            // must not become unreachable as well.
            "minHealthPercent": 50,
        },
    });
    if !ambient {
        // The same as automatic mTLS would select. If set explicitly, a broader rule that disables TLS does not
        // override it.
        policy["tls"] = json!({"mode": "ISTIO_MUTUAL"});
    }
    let spec = json!({"host": app.service_host(), "trafficPolicy": policy});
    vec![Child::with_spec(
        kinds::DESTINATION_RULE,
        &app.child_meta(&app.name),
        spec,
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, only_spec, route};

    #[test]
    fn sidecars_use_the_meshs_certificates() {
        let children = children(&app());
        let spec = only_spec(&children);
        assert_eq!(spec["host"], "shop.team-a.svc.cluster.local");
        assert_eq!(spec["trafficPolicy"]["tls"]["mode"], "ISTIO_MUTUAL");
    }

    #[test]
    fn in_ambient_mode_created_only_for_the_gateway() {
        let mut app = app();
        app.mesh.mode = MeshMode::Ambient;
        assert!(children(&app).is_empty());
        app.routes = vec![route("a.example.com", "/")];
        assert!(only_spec(&children(&app))["trafficPolicy"].get("tls").is_none());
    }
}
