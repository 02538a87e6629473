//! Why `idp-cli data` fails.

/// Why data could not be listed, or their deletion not requested or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The API server rejected the request, or is unreachable.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// No claim has this name.
    #[error(
        "The namespace {namespace} has no claim {name}. List all claims with: idp-cli data list -n {namespace}"
    )]
    NotFound {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// The claim was deleted meanwhile.
    #[error("{name} was deleted by someone else meanwhile. Nothing was changed.")]
    Gone {
        /// Name.
        name: String,
    },
    /// An application uses it.
    #[error("The application {application} uses {name}. Remove it from the application first.")]
    InUse {
        /// Name.
        name: String,
        /// The application.
        application: String,
    },
    /// Another writer requests the deletion again and again.
    #[error("Cannot cancel the deletion of {name}: another writer keeps setting idp.dev/delete-data.")]
    RequestedAgain {
        /// Name.
        name: String,
    },
    /// Its class deletes it without a request.
    #[error(
        "Cannot cancel the deletion of {name}: its class {class} deletes data that no application uses (deletionPolicy: \
         Delete). To keep the data, name it in the application {application} again before {until}."
    )]
    ByClass {
        /// Name.
        name: String,
        /// Its class.
        class: String,
        /// The application that used it.
        application: String,
        /// When the grace period is over.
        until: String,
    },
    /// It is being deleted already.
    #[error("{name} is being deleted already.")]
    Deleting {
        /// Name.
        name: String,
    },
}
