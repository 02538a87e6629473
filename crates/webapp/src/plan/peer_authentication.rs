//! PeerAuthentication: rejects plaintext.

use idp_core::Child;
use serde_json::{Map, Value, json};

use super::traffic::{self, Scrape};
use crate::{kinds, validate::Validated};

/// `STRICT` for every pod of the application, except for a metrics port that is scraped without a certificate (see
/// [`traffic::scrape`]).
///
/// Probes need no exception: with sidecars, the agent responds to the kubelet on a port that the proxy does not
/// capture; in ambient mode the node's agent marks them as probes.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    if !app.in_mesh() {
        return Vec::new();
    }
    let mut spec = json!({"selector": traffic::every_pod(app), "mtls": {"mode": "STRICT"}});
    if let (Some((_, port)), Some(Scrape::Anonymous { .. })) = (&app.metrics, traffic::scrape(app)) {
        let exception = Map::from_iter([(port.port.to_string(), json!({"mode": "PERMISSIVE"}))]);
        spec["portLevelMtls"] = Value::Object(exception);
    }
    vec![Child::with_spec(
        kinds::PEER_AUTHENTICATION,
        &app.child_meta(&app.name),
        spec,
    )]
}

#[cfg(test)]
mod tests {
    use idp_api::environment::MeshMode;

    use super::*;
    use crate::plan::fixture::{app, metrics, only_spec, port, route};

    #[test]
    fn strict_by_default() {
        let children = children(&app());
        let spec = only_spec(&children);
        assert_eq!(spec["mtls"]["mode"], "STRICT");
        assert!(spec.get("portLevelMtls").is_none());
    }

    #[test]
    fn a_metrics_port_accepts_plaintext() {
        let mut app = app();
        app.metrics = Some(metrics(port("metrics", 9090)));
        assert_eq!(
            only_spec(&children(&app))["portLevelMtls"],
            json!({"9090": {"mode": "PERMISSIVE"}})
        );
    }

    #[test]
    fn a_shared_port_behind_ztunnel_stays_strict() {
        let mut app = app();
        app.mesh.mode = MeshMode::Ambient;
        app.routes = vec![route("a.example.com", "/")];
        app.metrics = Some(metrics(port("http", 8080)));
        assert!(only_spec(&children(&app)).get("portLevelMtls").is_none());
    }

    #[test]
    fn nothing_without_a_mesh() {
        let mut app = app();
        app.mesh.mode = MeshMode::None;
        assert!(children(&app).is_empty());
    }
}
