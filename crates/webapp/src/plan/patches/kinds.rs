//! Kind by kind, what no policy opens to patches, however wide its fields are.
//!
//! What an application may have, it writes in a field of its own, which is checked against the Environment. A patch is for
//! fields that the API has no word for, and reaches no further than the application itself.

use idp_core::Kind;

use crate::kinds;

/// Of pods: what they run as and where, what they come before, and what they live on of the node.
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
    // A class brings tolerations and a node selector along, and may be less of a sandbox.
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

/// Of Jobs: how many pods for how long.
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

/// What patches of a kind may set at all.
enum Rule {
    /// Everything but these fields and what is below them.
    Except(&'static [&'static str]),
    /// These fields and what is below them.
    Only(&'static [&'static str]),
}

/// The rule of a kind, for fields below `spec`. A kind that is not named has nothing to patch but its metadata: what it
/// means to others is decided by its own controller, from what this one plans.
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
        // Its address, its names and its kind reach beyond the namespace, and so do those of its ports on nodes.
        kinds::SERVICE => Rule::Only(&[
            "sessionAffinity",
            "sessionAffinityConfig",
            "internalTrafficPolicy",
            "trafficDistribution",
        ]),
        // The bounds are those of the Environment; External metrics are read by name from everybody's.
        kinds::AUTOSCALER => Rule::Only(&["behavior"]),
        // A budget of none keeps the platform team from draining a node.
        kinds::DISRUPTION_BUDGET => Rule::Only(&["unhealthyPodEvictionPolicy"]),
        // Hosts, gateways and destinations are what `routes` is for: a destination may be anybody's.
        kinds::VIRTUAL_SERVICE => Rule::Only(&[]),
        // Not `tls`, which turns the mesh's encryption off, and no host.
        kinds::DESTINATION_RULE => Rule::Only(&[
            "trafficPolicy.connectionPool",
            "trafficPolicy.outlierDetection",
            "trafficPolicy.loadBalancer",
        ]),
        _ => Rule::Only(&[]),
    }
}

/// Where an object of the kind has pods, and where Jobs, below the object itself.
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

/// The metadata of an object of the kind and of what it makes: paths that end in `metadata`.
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

/// Whether no policy opens this field of the kind.
pub(super) fn is_closed(kind: Kind, field: &str) -> bool {
    // Other members than these are of kinds like ConfigMap and ServiceAccount: files that have a name of their own, and
    // what an identity is given.
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

/// What of the field is below `prefix`; all of it where it is the prefix itself.
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
