//! Reasons of problems: the words that scripts match and people look up.
//!
//! Each crate lists its own once, with [`reasons!`](crate::reasons). `docs/reference/problems.md` is generated from these
//! lists, so a problem cannot have a reason that is documented nowhere.

/// What kind of problem it is: one word for scripts, and for people what it means and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// One word in CamelCase, such as `HostTaken`.
    pub name: &'static str,
    /// What happened, in general: one or two sentences. A problem's message has the particulars.
    pub means: &'static str,
    /// What to do next. A problem says it unless it has a hint of its own.
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

// Goes when every crate has its list.
impl From<&'static str> for Reason {
    fn from(name: &'static str) -> Self {
        Self {
            name,
            means: "",
            hint: "",
        }
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
            "The cluster has no Environment. Nothing was changed; what runs keeps running.",
            "Ask the platform team to apply one Environment, such as platform/environments/local.yaml.";
        ENVIRONMENT_AMBIGUOUS = "EnvironmentAmbiguous",
            "The cluster has more than one Environment, so none of them is used.",
            "Ask the platform team to delete all Environments but one.";
        ENVIRONMENT_UNREADABLE = "EnvironmentUnreadable",
            "The Environment has a field that this controller cannot read. Nothing was changed; what runs keeps running.",
            "Ask the platform team to correct the field, or to deploy controllers and CRDs of the same version.";
        DUPLICATE = "Duplicate",
            "Two items of a list have the same key.",
            "Remove or rename one of them.";
        NAME_TAKEN = "NameTaken",
            "An object of this name exists and belongs to somebody else. It was not changed.",
            "Rename the application or the object, or hand the object over with the annotation idp.dev/adopt-by.";
        LIMIT_EXCEEDED = "LimitExceeded",
            "A value is above the limit that the Environment sets.",
            "Lower the value, or ask the platform team to raise the limit in the Environment.";
        INVALID_SPEC = "InvalidSpec",
            "A field has a value that the API does not accept.",
            "Correct the field that path names.";
        VARIABLE_CONFLICT = "VariableConflict",
            "Two parts of the spec set the same environment variable.",
            "Rename or remove one of the variables.";
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
