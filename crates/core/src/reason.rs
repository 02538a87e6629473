//! Reasons of problems: the words that scripts match and people look up.
//!
//! Each crate lists its own once, with [`reasons!`](crate::reasons). `docs/reference/problems.md` is generated from these
//! lists, so every reason is documented.

/// A kind of problem: one word for scripts; for people, what it means and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// One word in CamelCase, such as `HostTaken`.
    pub name: &'static str,
    /// What happened, in general: one or two sentences. A problem's message has the particulars.
    pub means: &'static str,
    /// What to do next: the hint of every problem that has no more specific one.
    pub hint: &'static str,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq<Reason> for String {
    fn eq(&self, other: &Reason) -> bool {
        self == other.name
    }
}

/// Declares a crate's reasons as constants, and `ALL`, the list of them.
///
/// ```
/// idp_core::reasons! {
///     HOST_TAKEN = "HostTaken",
///         "Another application already serves this host.",
///         "Choose another host, or remove the route that uses it.";
/// }
/// assert_eq!(ALL, [HOST_TAKEN]);
/// ```
#[macro_export]
macro_rules! reasons {
    ($($constant:ident = $name:literal, $means:literal, $hint:literal;)+) => {
        $(
            #[doc = $means]
            pub const $constant: $crate::Reason = $crate::Reason { name: $name, means: $means, hint: $hint };
        )+
        /// Every reason of this list, in its order.
        pub const ALL: &[$crate::Reason] = &[$($constant),+];
    };
}

/// Reasons that several controllers give.
pub mod shared {
    crate::reasons! {
        ENVIRONMENT_MISSING = "EnvironmentMissing",
            "The cluster has no Environment. No objects changed; running pods are not affected.",
            "Ask the platform team to apply one Environment, such as platform/environments/local.yaml.";
        ENVIRONMENT_AMBIGUOUS = "EnvironmentAmbiguous",
            "The cluster has more than one Environment, so the controllers use none of them. No objects changed.",
            "Ask the platform team to delete all Environments but one.";
        ENVIRONMENT_UNREADABLE = "EnvironmentUnreadable",
            "The Environment has a field that the controller cannot parse. No objects changed; running pods are not affected.",
            "Ask the platform team to correct the field, or to deploy controllers and CRDs of the same version.";
        DUPLICATE = "Duplicate",
            "Two items of a list have the same key.",
            "Remove or rename one of the two.";
        NAME_TAKEN = "NameTaken",
            "An object of this name already exists and has another owner. It was not changed.",
            "Rename the application or the object, delete the object, or hand it over with the annotation idp.dev/adopt-by.";
        LIMIT_EXCEEDED = "LimitExceeded",
            "A value is above the limit that the Environment sets.",
            "Lower the value, or ask the platform team to raise the limit in the Environment.";
        INVALID = "Invalid",
            "A value is not valid: the API server rejected an object, or a section or binding cannot be used.",
            "Correct the field that the path or the message names.";
        QUOTA_EXCEEDED = "QuotaExceeded",
            "The namespace has used up a quota: a ResourceQuota, or that of a ClaimClass, for which retained data counts too.",
            "Request less, remove something (retained data with `idp-cli data delete`), or ask for a larger quota.";
        KIND_NOT_SERVED = "KindNotServed",
            "The cluster does not have the CRD of a kind that this resource requires.",
            "Ask the platform team to install the operator that provides the CRD, for claims Crossplane and platform/compositions. The controller detects it within 30 seconds.";
        KIND_NOT_WATCHED = "KindNotWatched",
            "The controller does not watch a kind that it would create.",
            "Ask the platform team: add a kind of a ClaimClass to the broker's --claim-kind and its ClusterRole. Every other kind is a bug in the controller.";
        UNKNOWN_SIZE = "UnknownSize",
            "The Environment or the ClaimClass has no size with this name.",
            "Choose one of its sizes.";
        VARIABLE_CONFLICT = "VariableConflict",
            "Two parts of the spec set the same environment variable.",
            "Rename or remove one of the variables.";
        INVALID_SPEC = "InvalidSpec",
            "A field has a value that is not valid.",
            "Correct the field that the problem's path names.";
        HOST_TAKEN = "HostTaken",
            "The host already belongs to another application, or to a VirtualService of another namespace.",
            "Choose another host, or remove it from the object that the message names; it then moves automatically.";
        HOST_NOT_ALLOWED = "HostNotAllowed",
            "The Environment does not allow this namespace to use the host.",
            "Use a host one label below the base domain, or ask the platform team to add it to hosts.allowed of the Environment.";
        NO_ISSUER = "NoIssuer",
            "The platform issues no certificate for the host: the Environment has no certificate issuer, or the cluster has no certificate policy controller.",
            "Ask the platform team to set spec.certificates in the Environment, or set tls.mode of the route to Secret or None.";
    }
}
