//! Our resources as [`Kind`] values.

use idp_core::Kind;

use crate::{GROUP, VERSION};

/// `WebApplication`.
pub const WEB_APPLICATION: Kind = Kind::namespaced(GROUP, VERSION, "WebApplication", "webapplications");
/// `Environment`.
pub const ENVIRONMENT: Kind = Kind::cluster(GROUP, VERSION, "Environment", "environments");
/// `CapabilityBinding`.
pub const CAPABILITY_BINDING: Kind =
    Kind::namespaced(GROUP, VERSION, "CapabilityBinding", "capabilitybindings");
/// `SecretBinding`.
pub const SECRET_BINDING: Kind = Kind::namespaced(GROUP, VERSION, "SecretBinding", "secretbindings");
/// `CertificateBinding`.
pub const CERTIFICATE_BINDING: Kind =
    Kind::namespaced(GROUP, VERSION, "CertificateBinding", "certificatebindings");
/// `CertificatePolicy`.
pub const CERTIFICATE_POLICY: Kind =
    Kind::cluster(GROUP, VERSION, "CertificatePolicy", "certificatepolicies");
/// `AllowedHosts`.
pub const ALLOWED_HOSTS: Kind = Kind::cluster(GROUP, VERSION, "AllowedHosts", "allowedhosts");
/// `ClaimBinding`.
pub const CLAIM_BINDING: Kind = Kind::namespaced(GROUP, VERSION, "ClaimBinding", "claimbindings");
/// `ClaimClass`.
pub const CLAIM_CLASS: Kind = Kind::cluster(GROUP, VERSION, "ClaimClass", "claimclasses");
