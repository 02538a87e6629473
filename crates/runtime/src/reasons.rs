//! The reasons of problems that every controller can report: what each means, and what to do.

pub use idp_core::reason::shared::{INVALID, KIND_NOT_SERVED, KIND_NOT_WATCHED, NAME_TAKEN, QUOTA_EXCEEDED};

idp_core::reasons! {
    API_UNAVAILABLE = "ApiUnavailable",
        "The API server did not respond, or returned an error of its own.",
        "Retrying automatically. Act only if this persists.";
    CONFLICT = "Conflict",
        "The object was changed, replaced or deleted while it was being written.",
        "Retrying automatically. Act only if this persists.";
    FORBIDDEN = "Forbidden",
        "The API server denied a request of the controller.",
        "Ask the platform team: an admission policy denies the object, or the controller's ClusterRole lacks a rule.";
    NAMESPACE_MISSING = "NamespaceMissing",
        "A namespace that this resource needs does not exist, or is being deleted.",
        "Create the namespace. The controller checks again every 20 s.";
    FIELDS_DROPPED = "FieldsDropped",
        "The API server dropped fields of an object, because the installed CRD does not have them.",
        "Ask the platform team to upgrade the operator that provides the CRD.";
    UNREADABLE = "Unreadable",
        "The controller cannot read this resource. Nothing was changed; what runs keeps running.",
        "Correct or remove the field that path names.";
    CONTROLLER_PANICKED = "ControllerPanicked",
        "The controller panicked on this resource. This is a bug in the controller; other resources are not affected.",
        "Report it to the platform team, with the controller's log. Retrying automatically.";
}
