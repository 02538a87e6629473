//! Labels and annotations of claims and bindings. A claim carries what it takes to understand it without its binding.

use idp_core::labels;
use kube::core::ObjectMeta;

/// Label of every claim: its class.
pub const CLASS: &str = "idp.dev/claim-class";
/// Annotation of every claim: the `spec` of its binding, in JSON.
pub const BINDING: &str = "idp.dev/claim-binding";
/// Annotation: since when no application uses the claim.
pub const RELEASED_AT: &str = "idp.dev/released-at";
/// Annotation: until when the claim is kept in any case. Only the broker writes it, and all of [`RETENTION`] but
/// [`DELETE_DATA`].
pub const KEPT_UNTIL: &str = "idp.dev/kept-until";
/// Annotation on the binding or the claim that requests the deletion of the data. Its value is the claim's name.
pub const DELETE_DATA: &str = "idp.dev/delete-data";
/// Annotation: `Delete` if the claim's class deletes the data without a request.
pub const DELETION_POLICY: &str = "idp.dev/deletion-policy";
/// Value of [`DELETION_POLICY`].
pub const BY_CLASS: &str = "Delete";
/// The annotations of a retained claim.
pub const RETENTION: [&str; 4] = [RELEASED_AT, KEPT_UNTIL, DELETE_DATA, DELETION_POLICY];
/// Annotation on the binding that allows a lost claim to be created again, empty. Its value is the lost claim's UID, so
/// that it counts once.
pub const RECREATE: &str = "idp.dev/recreate";

/// An annotation's value.
pub fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// A label's value.
pub fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The application that a claim was created for.
pub fn application(metadata: &ObjectMeta) -> Option<&str> {
    label(metadata, labels::APPLICATION)
}
