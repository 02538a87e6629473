//! Where pods may run.

use idp_api::{WebApplicationSpec, environment::PlacementDefaults};

use crate::validated::ValidPlacement;

/// The Environment's placement with the application's own added; where both name a label, the application's value
/// holds.
pub(super) fn placement(spec: &WebApplicationSpec, defaults: &PlacementDefaults) -> ValidPlacement {
    let own = spec.placement.clone().unwrap_or_default();
    let mut node_selector = defaults.node_selector.clone();
    node_selector.extend(own.node_selector);
    let mut tolerations = defaults.tolerations.clone();
    for toleration in own.tolerations {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    ValidPlacement {
        spread: own.spread,
        node_selector,
        tolerations,
        priority_class: own.priority_class,
    }
}
