//! Kinds of other projects that the controllers read or write.

use idp_core::Kind;

/// cert-manager's `Certificate`.
pub const CERTIFICATE: Kind = Kind::namespaced("cert-manager.io", "v1", "Certificate", "certificates");
/// cert-manager's `CertificateRequest`.
pub const CERTIFICATE_REQUEST: Kind = Kind::namespaced(
    "cert-manager.io",
    "v1",
    "CertificateRequest",
    "certificaterequests",
);
/// Istio's `VirtualService`.
pub const VIRTUAL_SERVICE: Kind =
    Kind::namespaced("networking.istio.io", "v1", "VirtualService", "virtualservices");
/// `Namespace`.
pub const NAMESPACE: Kind = Kind::cluster("", "v1", "Namespace", "namespaces");
