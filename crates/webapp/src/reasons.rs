//! The reasons of this controller's problems: what each means, and what to do.

pub use idp_core::reason::shared::{
    DUPLICATE, ENVIRONMENT_AMBIGUOUS, ENVIRONMENT_MISSING, ENVIRONMENT_UNREADABLE, HOST_NOT_ALLOWED,
    HOST_TAKEN, INVALID_SPEC, LIMIT_EXCEEDED, NO_ISSUER, UNKNOWN_SIZE, VARIABLE_CONFLICT,
};

idp_core::reasons! {
    INVALID_NAME = "InvalidName",
        "The application's name does not fit the names of the objects that are made from it.",
        "Use at most 40 characters of a-z, 0-9 and '-'. Begin with a letter, and end with a letter or a digit.";
    NOT_SUPPORTED = "NotSupported",
        "This version of the controller does not support the value.",
        "Use another value. The field's description (kubectl explain) lists those that work.";
    TOO_DEEP = "TooDeep",
        "A field without a schema is nested too deeply.",
        "Flatten the value: objects and lists both count as levels.";
    TOO_LARGE = "TooLarge",
        "A field without a schema is too large.",
        "Move large texts to spec.configFiles or into the image.";

    CAPABILITY_MISSING = "CapabilityMissing",
        "No controller in this cluster serves the capability that the field needs.",
        "Remove the field, or ask the platform team to deploy the capability.";
    CAPABILITY_UNREACHABLE = "CapabilityUnreachable",
        "The capability does not respond. Nothing was changed; what runs keeps running.",
        "Retrying automatically. If this persists, ask the platform team to check the capability.";
    CAPABILITY_FAILED = "CapabilityFailed",
        "The capability returned an error or an invalid plan. Nothing was changed; what runs keeps running.",
        "Retrying automatically. If this persists, ask the platform team to check the capability's log.";
    CAPABILITY_BUILT_IN = "CapabilityBuiltIn",
        "spec.capabilities names a capability that has fields of its own in the spec.",
        "Use these fields instead: secrets, databases, storage or routes.";
    MOUNT_CONFLICT = "MountConflict",
        "A volume would hide another volume, a configuration file or a folder that every container has.",
        "Choose another mount path.";
    STATUS_UNREADABLE = "StatusUnreadable",
        "The status of a binding has problems in a form that this controller cannot read.",
        "Ask the platform team to deploy all controllers in the same version.";

    IMAGE_NOT_ALLOWED = "ImageNotAllowed",
        "The Environment does not allow images of this registry.",
        "Push the image to an allowed registry, or ask the platform team to allow this one in the Environment.";
    IMAGE_NEEDS_DIGEST = "ImageNeedsDigest",
        "The Environment requires an image digest.",
        "Write the image as NAME@sha256:DIGEST.";
    INVALID_QUANTITY = "InvalidQuantity",
        "The value is not a quantity of CPU or memory.",
        "Write CPU such as 500m or 2, and memory such as 256Mi or 2Gi.";
    UNKNOWN_PORT = "UnknownPort",
        "The field names a port that spec.ports does not have.",
        "Name one of spec.ports, or add the port there.";
    PORT_NOT_HTTP = "PortNotHttp",
        "The field needs an HTTP port, and this port has another protocol.",
        "Name a port with an HTTP protocol, or change the protocol of this one in spec.ports.";
    CONFIG_TOO_LARGE = "ConfigTooLarge",
        "The configuration files together are larger than a ConfigMap can be.",
        "Move large files into the image or into a bucket.";
    CONFIG_PATH_NOT_ALLOWED = "ConfigPathNotAllowed",
        "A configuration file cannot be mounted at this path.",
        "Choose a path in a folder of the application's own, such as /etc/app.";
    REPLICAS_RAISED = "ReplicasRaised",
        "The Environment requires more pods than the spec asks for.",
        "Nothing to do. Raise the number in the spec to remove this warning.";
    REPLICAS_BOUNDED = "ReplicasBounded",
        "The Environment allows fewer pods than the spec asks for.",
        "Lower the number in the spec, or ask the platform team to raise the Environment's ceiling.";
    INVALID_ROLLOUT = "InvalidRollout",
        "With these values no pod could ever be replaced.",
        "Set maxSurge or maxUnavailable above zero.";
    PLACEMENT_NOT_ALLOWED = "PlacementNotAllowed",
        "The Environment does not allow this node label, toleration or priority class in this namespace.",
        "Remove the value, or ask the platform team to allow it in the Environment.";

    NEEDS_MESH = "NeedsMesh",
        "The field needs a service mesh, and the Environment has none that can do this.",
        "Remove the field, or use an Environment with such a mesh.";
    NO_GATEWAY = "NoGateway",
        "The Environment has no gateway for routes.",
        "Remove the routes, or ask the platform team to set up a gateway in the Environment.";
    GATEWAY_NOT_ALLOWED = "GatewayNotAllowed",
        "The Environment does not allow routes at this gateway.",
        "Choose a gateway that the Environment lists, or leave the field out.";
    CONFLICTING_GATEWAY = "ConflictingGateway",
        "Routes of the same host use different gateways.",
        "Use one gateway for all routes of a host.";
    HOST_RESERVED = "HostReserved",
        "The host is reserved for the platform.",
        "Choose another host.";
    SECRET_NOT_ALLOWED = "SecretNotAllowed",
        "The Environment does not allow this namespace to use the certificate.",
        "Leave tls.secretName out, or ask the platform team to allow the certificate in the Environment.";
    PLAINTEXT_NOT_ALLOWED = "PlaintextNotAllowed",
        "The Environment does not allow routes without TLS.",
        "Leave tls.mode out.";
    CONFLICTING_TLS = "ConflictingTls",
        "Routes of the same host have different TLS settings.",
        "Use the same tls for all routes of a host.";
    TLS_BY_GATEWAY = "TlsByGateway",
        "The route's gateway has its own certificates, so the route cannot choose one.",
        "Leave tls out, or use the application's own gateway.";

    INVALID_CIDR = "InvalidCidr",
        "The value is not an IP range.",
        "Write an address and a prefix length, such as 192.0.2.0/24.";
    CIDR_NOT_ALLOWED = "CidrNotAllowed",
        "The application may not connect to this IP range.",
        "Use a range that the Environment allows, or ask the platform team to allow this one.";
    HOST_NOT_OUTSIDE = "HostNotOutside",
        "The host of an external connection is an IP address or a name inside the cluster.",
        "Use cidr for addresses, and application for applications of this cluster.";

    MIGRATION_FAILED = "MigrationFailed",
        "The migration Job failed. The previous version keeps running.",
        "Read the Job's log, then deploy a fixed image, or delete the Job to run it again.";
    INVALID_SCHEDULE = "InvalidSchedule",
        "The value is not a cron schedule that Kubernetes accepts.",
        "Write five fields: minute, hour, day of month, month, day of week.";
    UNKNOWN_TIME_ZONE = "UnknownTimeZone",
        "The time zone database has no zone of this name.",
        "Write a name such as Europe/Berlin or Etc/UTC.";
    OBJECTIVES_NOT_MEASURED = "ObjectivesNotMeasured",
        "The Environment has no Prometheus or no mesh, so the objectives are not measured.",
        "Nothing to do. The objectives take effect in an Environment with both.";

    IMAGE_PULL_BACK_OFF = "ImagePullBackOff",
        "A pod cannot pull its image.",
        "Check spec.image: its name, its tag, and whether this cluster may pull it.";
    INVALID_IMAGE_NAME = "InvalidImageName",
        "The name of a pod's image cannot be parsed.",
        "Correct spec.image.";
    CRASH_LOOP_BACK_OFF = "CrashLoopBackOff",
        "A container keeps ending, and is restarted with growing delays.",
        "Read the last output of the container: kubectl logs --previous POD.";
    CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError",
        "A pod refers to a ConfigMap, a Secret or a key that does not exist.",
        "Create the object that the message names, or remove the reference.";
    CREATE_CONTAINER_ERROR = "CreateContainerError",
        "The node cannot create a container of a pod.",
        "Check spec.command and the mounts. Run kubectl describe pod for details.";
    RUN_CONTAINER_ERROR = "RunContainerError",
        "The node cannot start a container of a pod.",
        "Check spec.command and the mounts. Run kubectl describe pod for details.";
    UNSCHEDULABLE = "Unschedulable",
        "No node has room for a pod, or no node fits its placement.",
        "Request less in spec.resources, relax spec.placement, or add nodes.";
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded",
        "The new version did not become ready in time. The previous version keeps running.",
        "See the problems of the pods. If there are none, run kubectl describe deployment.";
    FAILED_CREATE = "FailedCreate",
        "The namespace does not accept the pods.",
        "Check the namespace's ResourceQuota, LimitRange and admission policies.";

    PATCH_TARGET_MISSING = "PatchTargetMissing",
        "The application has no object of the patch's kind and name.",
        "Name an object that the application has. idp-cli render lists them.";
    PATCH_NOT_ALLOWED = "PatchNotAllowed",
        "The Environment does not allow patches of this field.",
        "Remove the field from the patch, or ask the platform team to allow it in the Environment.";
    PATCH_UNKNOWN_FIELD = "PatchUnknownField",
        "The patched kind has no such field.",
        "Correct the field's name. kubectl explain KIND --recursive lists the fields.";
    PATCH_INVALID = "PatchInvalid",
        "The patch removes a field or sets a value of the wrong type.",
        "Correct the value. kubectl explain KIND --recursive shows the types.";
    PATCH_BREAKS_POD_SECURITY = "PatchBreaksPodSecurity",
        "With the patch, pods would violate the restricted Pod Security Standard.",
        "Remove the field from the patch.";
}
