//! Reasons of the claim broker's problems.

pub use idp_core::reason::shared::{
    DUPLICATE, INVALID, KIND_NOT_SERVED, KIND_NOT_WATCHED, NAME_TAKEN, QUOTA_EXCEEDED, UNKNOWN_SIZE,
};

idp_core::reasons! {
    NO_CLASS = "NoClass",
        "The Environment maps the engine to no ClaimClass.",
        "Ask the platform team to map the engine in spec.classes of the Environment.";
    CLASS_MISSING = "ClassMissing",
        "The ClaimClass that the Environment or the binding names does not exist. Existing objects are unchanged.",
        "Ask the platform team to restore the ClaimClass, or to map the engine to another class in the Environment.";
    CLASS_UNREADABLE = "ClassUnreadable",
        "The ClaimClass has a field that the claim broker cannot read. Existing objects are unchanged.",
        "Ask the platform team to fix the field, or to deploy controllers and CRDs of the same release.";
    CLASS_INVALID = "ClassInvalid",
        "The spec of the ClaimClass cannot be used for this engine or this claim.",
        "Ask the platform team to fix the ClaimClass. Its status lists all faults.";
    CLASS_NOT_ALLOWED = "ClassNotAllowed",
        "The namespace selector of the ClaimClass does not match the namespace.",
        "Ask the platform team to select the namespace in spec.namespaces of the ClaimClass, or to label the namespace.";
    CLASS_CHANGED = "ClassChanged",
        "The Environment maps the engine to another ClaimClass now. The existing claim keeps its class.",
        "To move the data, add a database with another name, which gets the new class. Copy the data, then remove this one.";
    CLASS_DIFFERS = "ClassDiffers",
        "The binding names another engine or ClaimClass than its claim has. The claim is unchanged.",
        "Delete the binding: the application creates its own. To move data to another class, add a database with another name and copy them.";
    QUOTA_UNDECIDED = "QuotaUndecided",
        "Several bindings were created in the same second, and the quota does not have room for all of them.",
        "Wait two seconds. The first binding gets the claim.";
    INVALID_SIZE = "InvalidSize",
        "The size of the volume is missing, too small, or not a quantity.",
        "Write a size of at least 1Mi, such as 10Gi.";
    SIZE_EXCEEDED = "SizeExceeded",
        "The volume is larger than its ClaimClass allows.",
        "Write a smaller size, or ask the platform team to raise maxSize of the ClaimClass.";
    UNKNOWN_VERSION = "UnknownVersion",
        "The ClaimClass does not offer this version.",
        "Choose a version that the ClaimClass lists.";
    IMMUTABLE_FIELD = "ImmutableField",
        "The field cannot change after the claim was created.",
        "Add a database with another name, copy the data, then remove this one.";
    DATA_KEPT = "DataKept",
        "The application no longer uses the claim. Its data are retained.",
        "To use the data again, name the claim in the application again. To delete them, run `idp-cli data delete`.";
    DATA_DELETION = "DataDeletion",
        "Data are being deleted, or will be after the grace period: the deletion was requested, or the ClaimClass has deletionPolicy Delete.",
        "To keep the data, run `idp-cli data undelete`, or name the claim in the application again before the grace period ends.";
    DELETE_IGNORED = "DeleteIgnored",
        "The deletion of data was requested, but an application uses them. They are not deleted.",
        "Remove the claim from the application first, then run `idp-cli data delete`.";
    CLAIM_LOST = "ClaimLost",
        "The claim was deleted by someone else. A new one would be empty, so it is not created automatically.",
        "Restore the claim, or annotate the ClaimBinding with idp.dev/recreate to get an empty one.";
    KIND_CHANGED = "KindChanged",
        "A claim with this name exists with another kind than the ClaimClass creates. It is unchanged, and no second one is created.",
        "Delete the binding. The existing claim stays, in its own ClaimClass.";
    RESOURCE_FAILED = "ResourceFailed",
        "A provider cannot create or change a cloud resource.",
        "Retrying automatically. If this persists, ask the platform team to check the resource.";
    COMPOSITION_FAILED = "CompositionFailed",
        "Crossplane cannot compose the resources of the claim.",
        "Ask the platform team to check the Composition, and Crossplane's permissions in the cluster.";
    CLAIM_FAILED = "ClaimFailed",
        "Crossplane cannot bind the claim to a composite resource.",
        "Ask the platform team to check the claim: `kubectl describe` shows its events.";
    CROSSPLANE_UNREACHABLE = "CrossplaneUnreachable",
        "Crossplane has set no condition on the claim within a minute.",
        "Ask the platform team to check that Crossplane runs and has a definition of the kind. No other action is needed.";
    VOLUME_LOST = "VolumeLost",
        "The PersistentVolume of the volume claim is gone.",
        "Ask the platform team to restore the PersistentVolume.";
}
