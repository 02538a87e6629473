//! DestinationRule: how clients treat the application's pods.

use idp_api::environment::MeshMode;
use idp_core::Child;
use serde_json::json;

use super::traffic;
use crate::{kinds, validate::Validated};

/// Bounds on what one client proxy may have open, and pods that fail taken out for a while.
///
/// A DestinationRule is read by the client's Envoy. ztunnel is none, so in ambient mode only the gateway would read
/// it: there the rule is made for applications with routes, and without `tls`, because HBONE is chosen by itself.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let ambient = app.mesh.mode == MeshMode::Ambient;
    if !app.in_mesh() || (ambient && traffic::routed_ports(app).is_empty()) {
        return Vec::new();
    }
    let mut policy = json!({
        // Istio's own default is no bound at all, so one slow application can fill its clients' memory.
        "connectionPool": {
            "tcp": {"connectTimeout": "5s", "maxConnections": 1024},
            "http": {"http1MaxPendingRequests": 1024, "http2MaxRequests": 1024},
        },
        "outlierDetection": {
            "consecutive5xxErrors": 5,
            "interval": "10s",
            "baseEjectionTime": "30s",
            "maxEjectionPercent": 50,
            // With fewer pods left, all are used again: an application that fails as a whole, or has one pod only,
            // must not become unreachable on top.
            "minHealthPercent": 50,
        },
    });
    if !ambient {
        // What automatic mTLS would choose. Written down, a wider rule that turns TLS off cannot win.
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
    fn in_ambient_mode_only_for_the_gateway() {
        let mut app = app();
        app.mesh.mode = MeshMode::Ambient;
        assert!(children(&app).is_empty());
        app.routes = vec![route("a.example.com", "/")];
        assert!(only_spec(&children(&app))["trafficPolicy"].get("tls").is_none());
    }
}
