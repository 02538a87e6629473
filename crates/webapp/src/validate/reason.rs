//! Reasons of problems, written once: scripts and tests match them.

pub(crate) const ENVIRONMENT_MISSING: &str = "EnvironmentMissing";
/// The one Environment does not have the form that this controller knows.
pub(crate) const ENVIRONMENT_UNREADABLE: &str = "EnvironmentUnreadable";
pub(crate) const ENVIRONMENT_AMBIGUOUS: &str = "EnvironmentAmbiguous";
pub(crate) const INVALID_NAME: &str = "InvalidName";
/// A rule of the schema is broken, which an API server would have refused: seen by `render` only.
pub(crate) const INVALID_SPEC: &str = "InvalidSpec";
/// What has no schema is nested too deep, or has too many bytes.
pub(crate) const TOO_DEEP: &str = "TooDeep";
pub(crate) const TOO_LARGE: &str = "TooLarge";
/// Two items of a list have the same key.
pub(crate) const DUPLICATE: &str = "Duplicate";
pub(crate) const NOT_SUPPORTED: &str = "NotSupported";
pub(crate) const CAPABILITY_MISSING: &str = "CapabilityMissing";
pub(crate) const CAPABILITY_SILENT: &str = "CapabilitySilent";
/// `spec.capabilities` names one that the platform serves itself, for fields of its own.
pub(crate) const CAPABILITY_BUILT_IN: &str = "CapabilityBuiltIn";
pub(crate) const CAPABILITY_FAILED: &str = "CapabilityFailed";
/// Two sections, or a section and the application itself, set the same variable.
pub(crate) const VARIABLE_CONFLICT: &str = "VariableConflict";
/// What a section mounts lies in the way of something else.
pub(crate) const MOUNT_CONFLICT: &str = "MountConflict";
/// The Environment has no mesh, or not the kind of mesh that the field needs.
pub(crate) const NEEDS_MESH: &str = "NeedsMesh";

pub(crate) const IMAGE_NOT_ALLOWED: &str = "ImageNotAllowed";
pub(crate) const IMAGE_NEEDS_DIGEST: &str = "ImageNeedsDigest";
pub(crate) const UNKNOWN_SIZE: &str = "UnknownSize";
pub(crate) const INVALID_QUANTITY: &str = "InvalidQuantity";
pub(crate) const UNKNOWN_PORT: &str = "UnknownPort";
/// The port speaks no HTTP, which the field needs.
pub(crate) const PORT_NOT_HTTP: &str = "PortNotHttp";
pub(crate) const CONFIG_TOO_LARGE: &str = "ConfigTooLarge";
pub(crate) const CONFIG_PATH_NOT_ALLOWED: &str = "ConfigPathNotAllowed";
pub(crate) const REPLICAS_RAISED: &str = "ReplicasRaised";
pub(crate) const REPLICAS_BOUNDED: &str = "ReplicasBounded";
pub(crate) const INVALID_ROLLOUT: &str = "InvalidRollout";

pub(crate) const NO_GATEWAY: &str = "NoGateway";
pub(crate) const GATEWAY_NOT_ALLOWED: &str = "GatewayNotAllowed";
pub(crate) const CONFLICTING_GATEWAY: &str = "ConflictingGateway";
pub(crate) const HOST_RESERVED: &str = "HostReserved";
/// The Environment does not give the host to the namespace.
pub(crate) const HOST_NOT_ALLOWED: &str = "HostNotAllowed";
/// The Environment does not let the namespace show the certificate.
pub(crate) const SECRET_NOT_ALLOWED: &str = "SecretNotAllowed";
pub(crate) const HOST_TAKEN: &str = "HostTaken";
pub(crate) const PLAINTEXT_NOT_ALLOWED: &str = "PlaintextNotAllowed";
pub(crate) const CONFLICTING_TLS: &str = "ConflictingTls";
/// The route's Gateway brings certificates of its own.
pub(crate) const TLS_BY_GATEWAY: &str = "TlsByGateway";
pub(crate) const NO_ISSUER: &str = "NoIssuer";
pub(crate) const INVALID_CIDR: &str = "InvalidCidr";
/// The Environment does not let the application open the range, or nobody may.
pub(crate) const CIDR_NOT_ALLOWED: &str = "CidrNotAllowed";
/// What stands as a host outside is an address, or a name of the cluster.
pub(crate) const HOST_NOT_OUTSIDE: &str = "HostNotOutside";
/// The Environment does not let the application run there, tolerate that or come before others.
pub(crate) const PLACEMENT_NOT_ALLOWED: &str = "PlacementNotAllowed";
/// More than the Environment lets one application take.
pub(crate) const LIMIT_EXCEEDED: &str = "LimitExceeded";

pub(crate) const MIGRATION_FAILED: &str = "MigrationFailed";
pub(crate) const INVALID_SCHEDULE: &str = "InvalidSchedule";
pub(crate) const UNKNOWN_TIME_ZONE: &str = "UnknownTimeZone";
pub(crate) const OBJECTIVES_NOT_MEASURED: &str = "ObjectivesNotMeasured";

pub(crate) const PATCH_TARGET_MISSING: &str = "PatchTargetMissing";
pub(crate) const PATCH_NOT_ALLOWED: &str = "PatchNotAllowed";
pub(crate) const PATCH_UNKNOWN_FIELD: &str = "PatchUnknownField";
/// The patch does not fit the object: a wrong type, or a removal.
pub(crate) const PATCH_INVALID: &str = "PatchInvalid";
pub(crate) const PATCH_BREAKS_POD_SECURITY: &str = "PatchBreaksPodSecurity";
