//! For each kind, the fields that no policy can open to patches.
//!
//! What an application may choose has a field in its spec, which is checked against the Environment. A patch is for fields
//! that the spec does not have, and affects only the application itself.

use idp_core::Kind;

use crate::kinds;

/// Fields of pods: identity, placement, priority and resources.
const POD: [&str; 22] = [
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "nodeName",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "priority",
    "preemptionPolicy",
    "schedulerName",
    // A runtime class adds tolerations and a node selector, and may isolate less.
    "runtimeClassName",
    "overhead",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "os",
    "ephemeralContainers",
    "resourceClaims",
    "resources",
    "schedulingGates",
    "restartPolicy",
];

/// Fields of Jobs: how many pods run for how long.
const JOB: [&str; 13] = [
    "parallelism",
    "completions",
    "completionMode",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "podReplacementPolicy",
    "managedBy",
    "manualSelector",
    "suspend",
    "selector",
];

/// The fields of a kind that patches may set.
enum Rule {
    /// Everything except these fields and those below them.
    Except(&'static [&'static str]),
    /// These fields and those below them.
    Only(&'static [&'static str]),
}

/// The rule of a kind, for fields below `spec`. Other kinds can be patched in their metadata only.
fn rule(kind: Kind) -> Rule {
    match kind {
        kinds::DEPLOYMENT => Rule::Except(&["replicas", "selector", "paused"]),
        kinds::CRON_JOB => Rule::Except(&[
            "schedule",
            "timeZone",
            "concurrencyPolicy",
            "suspend",
            "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit",
        ]),
        kinds::JOB => Rule::Except(&[]),
        // Addresses, names, type and node ports affect more than the namespace.
        kinds::SERVICE => Rule::Only(&[
            "sessionAffinity",
            "sessionAffinityConfig",
            "internalTrafficPolicy",
            "trafficDistribution",
        ]),
        // The Environment sets the bounds; external metrics of other tenants can be read by name.
        kinds::AUTOSCALER => Rule::Only(&["behavior"]),
        // A budget that allows no disruption would block draining a node.
        kinds::DISRUPTION_BUDGET => Rule::Only(&["unhealthyPodEvictionPolicy"]),
        // Hosts, gateways and destinations have `spec.routes`: a destination could be another tenant's.
        kinds::VIRTUAL_SERVICE => Rule::Only(&[]),
        // Not `tls`, which disables the mesh's encryption, and no host.
        kinds::DESTINATION_RULE => Rule::Only(&[
            "trafficPolicy.connectionPool",
            "trafficPolicy.outlierDetection",
            "trafficPolicy.loadBalancer",
        ]),
        _ => Rule::Only(&[]),
    }
}

/// Paths of the pod template and of the Job spec in an object of the kind.
fn templates(kind: Kind) -> (Option<&'static str>, Option<&'static str>) {
    match kind {
        kinds::DEPLOYMENT => (Some("spec.template"), None),
        kinds::JOB => (Some("spec.template"), Some("spec")),
        kinds::CRON_JOB => (
            Some("spec.jobTemplate.spec.template"),
            Some("spec.jobTemplate.spec"),
        ),
        _ => (None, None),
    }
}

/// Paths of all metadata in an object of the kind.
pub(super) fn metadata(kind: Kind) -> &'static [&'static str] {
    match kind {
        kinds::DEPLOYMENT | kinds::JOB => &["metadata", "spec.template.metadata"],
        kinds::CRON_JOB => &[
            "metadata",
            "spec.jobTemplate.metadata",
            "spec.jobTemplate.spec.template.metadata",
        ],
        _ => &["metadata"],
    }
}

/// Whether no policy can allow this field of the kind.
pub(super) fn is_closed(kind: Kind, field: &str) -> bool {
    // Other top-level fields belong to kinds such as ConfigMap and ServiceAccount.
    let Some(below) = below(field, "spec") else {
        return !is_within(field, "metadata");
    };
    let by_rule = match rule(kind) {
        Rule::Except(closed) => closed.iter().any(|one| is_within(below, one)),
        Rule::Only(open) => !open.iter().any(|one| is_within(below, one)),
    };
    let (pods, jobs) = templates(kind);
    let within = |at: Option<&str>, closed: &[&str]| {
        at.and_then(|at| self::below(field, at))
            .is_some_and(|rest| closed.iter().any(|one| is_within(rest, one)))
    };
    let of_pods = pods.is_some_and(|pods| within(Some(&format!("{pods}.spec")), &POD));
    by_rule || of_pods || within(jobs, &JOB)
}

/// The part of the field below `prefix`; empty for the prefix itself.
fn below<'a>(field: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = field.strip_prefix(prefix)?;
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix('.')
}

/// Whether the field is `prefix` or below it.
pub(super) fn is_within(field: &str, prefix: &str) -> bool {
    below(field, prefix).is_some()
}
