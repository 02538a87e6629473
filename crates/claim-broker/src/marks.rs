//! Labels and annotations by which a claim tells what it is, also when nobody wants it any more.

use idp_core::labels;
use kube::core::ObjectMeta;

/// Label of every claim: its class.
pub const CLASS: &str = "idp.dev/claim-class";
/// Annotation of every claim: the `spec` of the binding that it was made from, in JSON.
pub const BINDING: &str = "idp.dev/claim-binding";
/// Annotation: since when nobody wants the claim.
pub const RELEASED_AT: &str = "idp.dev/released-at";
/// Annotation: until when it is kept whatever anybody says. Only the broker writes it, as all marks but [`DELETE_DATA`].
pub const KEPT_UNTIL: &str = "idp.dev/kept-until";
/// Annotation, on the binding or on the claim, by which somebody says that the data may go: the claim's name.
pub const DELETE_DATA: &str = "idp.dev/delete-data";
/// Annotation: `Delete` if the claim's class says that the data go by themselves.
pub const DELETION_POLICY: &str = "idp.dev/deletion-policy";
/// Value of [`DELETION_POLICY`].
pub const BY_CLASS: &str = "Delete";
/// The marks on what nobody wants.
pub const RETENTION: [&str; 4] = [RELEASED_AT, KEPT_UNTIL, DELETE_DATA, DELETION_POLICY];
/// Annotation on the binding by which somebody says that a claim that was lost is to be made anew, empty: its UID,
/// so that it counts once.
pub const RECREATE: &str = "idp.dev/recreate";
/// Field manager of the command line, which says on a claim that its data may go.
pub const MANAGER: &str = "idp-cli-data";

/// An annotation's value.
pub fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// A label's value.
pub fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The application that a claim was made for.
pub fn application(metadata: &ObjectMeta) -> Option<&str> {
    label(metadata, labels::APPLICATION)
}
