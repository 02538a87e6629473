//! Reasons of problems: what scripts match, and what the runbook lists.

/// The Environment maps the engine to no class.
pub const NO_CLASS: &str = "NoClass";
/// The class that the Environment or the binding names does not exist.
pub const CLASS_MISSING: &str = "ClassMissing";
/// The class that the Environment or the binding names is there, and cannot be read.
pub const CLASS_UNREADABLE: &str = "ClassUnreadable";
/// The class cannot be used as it is written.
pub const CLASS_INVALID: &str = "ClassInvalid";
/// The class is not for this namespace.
pub const CLASS_NOT_ALLOWED: &str = "ClassNotAllowed";
/// The Environment maps the engine to another class now; what exists stays where it is.
pub const CLASS_CHANGED: &str = "ClassChanged";
/// The namespace has as many of the class as it may have.
pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
/// The claim of this name is of another class or engine than the binding says.
pub const CLASS_DIFFERS: &str = "ClassDiffers";
/// Others want one of the class in the same moment, and not all may have it.
pub const QUOTA_UNDECIDED: &str = "QuotaUndecided";
/// The size is none, or not one that can be.
pub const INVALID_SIZE: &str = "InvalidSize";
/// The volume is larger than its class allows.
pub const SIZE_EXCEEDED: &str = "SizeExceeded";
/// The class does not offer this version.
pub const UNKNOWN_VERSION: &str = "UnknownVersion";
/// The class does not offer this size.
pub const UNKNOWN_SIZE: &str = "UnknownSize";
/// It cannot change once the database exists.
pub const IMMUTABLE_FIELD: &str = "ImmutableField";
/// Two things of the application get the same name.
pub const DUPLICATE: &str = "Duplicate";
/// The name of the binding or the claim belongs to another application.
pub const NAME_TAKEN: &str = "NameTaken";
/// The section does not parse.
pub const INVALID: &str = "Invalid";
/// The application has let go of data, and they are kept.
pub const DATA_KEPT: &str = "DataKept";
/// Data are being deleted, or will be, as somebody asked or their class says.
pub const DATA_DELETION: &str = "DataDeletion";
/// Somebody asked to delete data that are in use.
pub const DELETE_IGNORED: &str = "DeleteIgnored";
/// Somebody else deleted the claim.
pub const CLAIM_LOST: &str = "ClaimLost";
/// The claim broker does not watch the kind of the class.
pub const KIND_NOT_WATCHED: &str = "KindNotWatched";
/// The cluster does not have the kind of the class.
pub const KIND_NOT_SERVED: &str = "KindNotServed";
/// A claim of this name exists already, of another kind than the class says.
pub const KIND_CHANGED: &str = "KindChanged";
/// A resource of the cloud cannot be made or changed.
pub const RESOURCE_FAILED: &str = "ResourceFailed";
/// Crossplane cannot compose the resources.
pub const COMPOSITION_FAILED: &str = "CompositionFailed";
/// Crossplane refuses the claim.
pub const CLAIM_FAILED: &str = "ClaimFailed";
/// Crossplane has said nothing of the claim.
pub const CROSSPLANE_SILENT: &str = "CrossplaneSilent";
/// The volume has lost its storage.
pub const VOLUME_LOST: &str = "VolumeLost";
