//! Where pods may run: the application's wishes within the Environment's policy.

use idp_api::{
    WebApplicationSpec,
    environment::PlacementPolicy,
    web_application::{Placement, Toleration},
};
use idp_core::Problem;

use super::findings::{Findings, list};
use crate::{reasons, validate::ValidPlacement};

/// Prefix of the cluster's own priority classes, whose pods evict all others.
const SYSTEM_PREFIX: &str = "system-";

/// The application's namespace, and the placement policy of its Environment.
pub(super) struct Policy<'a> {
    /// Name of the Environment.
    pub(super) environment: &'a str,
    /// Its placement policy.
    pub(super) placement: &'a PlacementPolicy,
    /// Namespace of the application.
    pub(super) namespace: &'a str,
}

/// The Environment's placement with the application's own added. An application may always narrow where it runs. More nodes,
/// tolerations and priority classes need the Environment's permission.
pub(super) fn placement(
    spec: &WebApplicationSpec,
    policy: &Policy<'_>,
    findings: &mut Findings,
) -> ValidPlacement {
    let own = spec.placement.clone().unwrap_or_default();
    node_selector(&own, policy, findings);
    tolerations(&own, policy, findings);
    priority(&own, policy, findings);
    let mut tolerations = policy.placement.tolerations.clone();
    for toleration in own.tolerations {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    let mut node_selector = own.node_selector;
    node_selector.extend(policy.placement.node_selector.clone());
    ValidPlacement {
        spread: own.spread,
        node_selector,
        tolerations,
        priority_class: own.priority_class,
    }
}

fn node_selector(own: &Placement, policy: &Policy<'_>, findings: &mut Findings) {
    for (label, theirs) in &own.node_selector {
        if let Some(value) = policy
            .placement
            .node_selector
            .get(label)
            .filter(|value| *value != theirs)
        {
            let environment = policy.environment;
            findings.add(
                Problem::error(
                    reasons::PLACEMENT_NOT_ALLOWED,
                    format!("Environment {environment} runs applications on nodes with {label}={value}. {label}={theirs} is not allowed."),
                )
                .at(format!("spec.placement.nodeSelector[{label}]"))
                .hint(format!("Remove {label}, or ask the platform team to change placement.nodeSelector of Environment {environment}.")),
            );
        }
    }
}

fn tolerations(own: &Placement, policy: &Policy<'_>, findings: &mut Findings) {
    let placement = policy.placement;
    for (index, wanted) in own.tolerations.iter().enumerate() {
        let mut allowed = placement.tolerations.iter().chain(&placement.allowed_tolerations);
        if allowed.any(|entry| covers(entry, wanted)) {
            continue;
        }
        let environment = policy.environment;
        let all: Vec<String> = placement.allowed_tolerations.iter().map(text).collect();
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!("Environment {environment} does not allow applications to tolerate the taint {}.", text(wanted)),
            )
            .at(format!("spec.placement.tolerations[{index}]"))
            .hint(format!(
                "Remove the toleration, or ask the platform team to add it to placement.allowedTolerations of Environment {environment}. Allowed: {}.",
                list(all.iter().map(String::as_str))
            )),
        );
    }
}

/// Whether the allowed toleration covers the wanted one. Without a key, a toleration matches every taint; without value or
/// effect, every taint of its key.
fn covers(allowed: &Toleration, wanted: &Toleration) -> bool {
    let within = |allowed: &Option<String>, wanted: &Option<String>| allowed.is_none() || allowed == wanted;
    !wanted.key.is_empty()
        && allowed.key == wanted.key
        && within(&allowed.value, &wanted.value)
        && within(&allowed.effect, &wanted.effect)
}

/// A taint as `kubectl taint` writes it.
fn text(toleration: &Toleration) -> String {
    let value = toleration.value.iter().map(|value| format!("={value}"));
    let effect = toleration.effect.iter().map(|effect| format!(":{effect}"));
    let key = if toleration.key.is_empty() {
        "(every)"
    } else {
        &toleration.key
    };
    std::iter::once(key.to_owned())
        .chain(value)
        .chain(effect)
        .collect()
}

fn priority(own: &Placement, policy: &Policy<'_>, findings: &mut Findings) {
    let Some(wanted) = &own.priority_class else {
        return;
    };
    let environment = policy.environment;
    if wanted.starts_with(SYSTEM_PREFIX) {
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!(
                    "Priority class {wanted} is reserved for pods of the cluster itself, because it evicts all others."
                ),
            )
            .at("spec.placement.priorityClass")
            .hint("Remove the priority class. No Environment can allow it."),
        );
        return;
    }
    let allowed: Vec<&str> = policy
        .placement
        .allowed_priority_classes
        .iter()
        .filter(|class| {
            class.namespaces.is_empty() || class.namespaces.iter().any(|one| one == policy.namespace)
        })
        .map(|class| class.name.as_str())
        .collect();
    if !allowed.contains(&wanted.as_str()) {
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!("Environment {environment} does not allow namespace {} to use priority class {wanted}.", policy.namespace),
            )
            .at("spec.placement.priorityClass")
            .hint(format!(
                "Remove the priority class, or ask the platform team to add it to placement.allowedPriorityClasses of Environment {environment}. Allowed: {}.",
                list(allowed)
            )),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, value: Option<&str>, effect: Option<&str>) -> Toleration {
        Toleration {
            key: key.into(),
            value: value.map(Into::into),
            effect: effect.map(Into::into),
        }
    }

    #[test]
    fn a_toleration_is_covered_by_as_much_or_more() {
        let any = toleration("a", None, None);
        let narrow = toleration("a", Some("x"), Some("NoSchedule"));
        assert!(covers(&any, &narrow) && covers(&any, &any) && covers(&narrow, &narrow));
        for wider in [
            any.clone(),
            toleration("a", Some("x"), None),
            toleration("a", None, Some("NoSchedule")),
            toleration("a", Some("y"), Some("NoSchedule")),
            toleration("a", Some("x"), Some("NoExecute")),
            toleration("b", Some("x"), Some("NoSchedule")),
            toleration("", Some("x"), Some("NoSchedule")),
        ] {
            assert!(!covers(&narrow, &wider), "{wider:?}");
        }
        assert!(!covers(&toleration("", None, None), &toleration("", None, None)));
    }
}
