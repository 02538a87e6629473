//! Where pods may run: what the application says, within what the Environment allows.

use idp_api::{
    WebApplicationSpec,
    environment::PlacementPolicy,
    web_application::{Placement, Toleration},
};
use idp_core::Problem;

use super::findings::{Findings, list};
use crate::{reasons, validate::ValidPlacement};

/// The cluster's own priority classes begin with this: a pod of theirs evicts everybody's.
const SYSTEM: &str = "system-";

/// Who is asking, and what holds for it.
pub(super) struct Fence<'a> {
    /// Name of the Environment.
    pub(super) environment: &'a str,
    /// Its policy.
    pub(super) policy: &'a PlacementPolicy,
    /// Namespace of the application.
    pub(super) namespace: &'a str,
}

/// The Environment's placement with the application's own added. An application narrows down where it runs; it goes
/// nowhere else, tolerates no more and comes before nobody unless the Environment says so.
pub(super) fn placement(
    spec: &WebApplicationSpec,
    fence: &Fence<'_>,
    findings: &mut Findings,
) -> ValidPlacement {
    let own = spec.placement.clone().unwrap_or_default();
    node_selector(&own, fence, findings);
    tolerations(&own, fence, findings);
    priority(&own, fence, findings);
    let mut tolerations = fence.policy.tolerations.clone();
    for toleration in own.tolerations {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    let mut node_selector = own.node_selector;
    node_selector.extend(fence.policy.node_selector.clone());
    ValidPlacement {
        spread: own.spread,
        node_selector,
        tolerations,
        priority_class: own.priority_class,
    }
}

fn node_selector(own: &Placement, fence: &Fence<'_>, findings: &mut Findings) {
    for (label, theirs) in &own.node_selector {
        if let Some(value) = fence
            .policy
            .node_selector
            .get(label)
            .filter(|value| *value != theirs)
        {
            let environment = fence.environment;
            findings.add(
                Problem::error(
                    reasons::PLACEMENT_NOT_ALLOWED,
                    format!("Environment {environment} runs applications on nodes with {label}={value}; {label}={theirs} is not allowed"),
                )
                .at(format!("spec.placement.nodeSelector[{label}]"))
                .hint(format!("take {label} out; only the platform team changes placement.nodeSelector of Environment {environment}")),
            );
        }
    }
}

fn tolerations(own: &Placement, fence: &Fence<'_>, findings: &mut Findings) {
    let policy = fence.policy;
    for (index, wanted) in own.tolerations.iter().enumerate() {
        let mut allowed = policy.tolerations.iter().chain(&policy.allowed_tolerations);
        if allowed.any(|entry| covers(entry, wanted)) {
            continue;
        }
        let environment = fence.environment;
        let all: Vec<String> = policy.allowed_tolerations.iter().map(text).collect();
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!("Environment {environment} does not let applications tolerate the taint {}", text(wanted)),
            )
            .at(format!("spec.placement.tolerations[{index}]"))
            .hint(format!(
                "take it out, or ask the platform team to add it to placement.allowedTolerations of Environment {environment}; allowed: {}",
                list(all.iter().map(String::as_str))
            )),
        );
    }
}

/// Whether what is allowed is at least what is wanted. A toleration without key tolerates everything, and one without
/// value or effect every one of the key.
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

fn priority(own: &Placement, fence: &Fence<'_>, findings: &mut Findings) {
    let Some(wanted) = &own.priority_class else {
        return;
    };
    let environment = fence.environment;
    if wanted.starts_with(SYSTEM) {
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!(
                    "priority class {wanted} is for the cluster's own pods: it evicts those of everybody"
                ),
            )
            .at("spec.placement.priorityClass")
            .hint("take it out: nobody can allow it"),
        );
        return;
    }
    let allowed: Vec<&str> = fence
        .policy
        .allowed_priority_classes
        .iter()
        .filter(|class| {
            class.namespaces.is_empty() || class.namespaces.iter().any(|one| one == fence.namespace)
        })
        .map(|class| class.name.as_str())
        .collect();
    if !allowed.contains(&wanted.as_str()) {
        findings.add(
            Problem::error(
                reasons::PLACEMENT_NOT_ALLOWED,
                format!("Environment {environment} does not let namespace {} use priority class {wanted}", fence.namespace),
            )
            .at("spec.placement.priorityClass")
            .hint(format!(
                "take it out, or ask the platform team to add it to placement.allowedPriorityClasses of Environment {environment}; allowed: {}",
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
