//! The state of the routes.

use idp_core::{Applied, AppliedChild, Plan};
use serde_json::Value;

use super::concern::Concern;
use crate::{
    kinds::{GATEWAY, VIRTUAL_SERVICE},
    validate::{ValidRoute, Validated},
};

/// Whether all routes are configured at their gateways. `wanted` is `None` without a valid spec.
pub(super) fn routes(wanted: Option<&[ValidRoute]>, plan: &Plan<Applied>) -> Concern {
    let configured = |kind| plan.children.iter().filter(|child| child.kind == kind).count();
    let wanted = match wanted {
        Some([]) => return Concern::new(true, "NoRoutes", "The application has no routes."),
        None if configured(VIRTUAL_SERVICE) == 0 => {
            return Concern::new(false, "Refused", "No routes are configured.");
        }
        None => return Concern::new(true, "Kept", "The routes are unchanged."),
        Some(wanted) => wanted,
    };
    let missing: Vec<&str> = wanted
        .iter()
        .map(|route| route.host.as_str())
        .filter(|host| {
            let is_served =
                |child: &AppliedChild| child.kind == VIRTUAL_SERVICE && serves(&child.facts, host);
            !plan.children.iter().any(is_served)
        })
        .collect();
    let own_gateway_missing = wanted.iter().any(|route| route.gateway.is_none()) && configured(GATEWAY) == 0;
    if missing.is_empty() && !own_gateway_missing {
        let message = format!("All {} routes are configured.", wanted.len());
        return Concern::new(true, "Configured", message);
    }
    let message = format!("Not configured yet: {}.", missing.join(", "));
    Concern::new(false, "Configuring", message)
}

/// Whether the facts of a VirtualService include the host.
fn serves(facts: &Value, host: &str) -> bool {
    let hosts = facts["hosts"].as_array().into_iter().flatten();
    hosts.into_iter().any(|held| held == host)
}

/// Address of the first route.
pub(super) fn url(app: &Validated) -> Option<String> {
    let route = app.routes.first()?;
    let path = if route.path == "/" { "" } else { &route.path };
    let (scheme, port) = match (&route.tls_secret, app.gateway.https_port) {
        (None, _) => ("http", String::new()),
        (Some(_), None | Some(443)) => ("https", String::new()),
        (Some(_), Some(port)) => ("https", format!(":{port}")),
    };
    Some(format!("{scheme}://{}{port}{path}", route.host))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_is_configured_when_a_virtual_service_names_its_host() {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "a"}, "spec": {"hosts": ["a.example.com"]},
        });
        let facts = crate::facts::virtual_service(&serde_json::from_value(object).unwrap());
        assert!(serves(&facts, "a.example.com"));
        assert!(!serves(&facts, "b.example.com"));
        assert!(!serves(&Value::Null, "a.example.com"));
    }
}
