//! ServiceAccount: what the pods are called.

use idp_core::Child;
use k8s_openapi::api::core::v1::ServiceAccount;

use crate::{kinds, validate::Validated};

/// An account of the application's own, because identities in the mesh are accounts. It has no rights, and no token
/// of it is mounted.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let account = ServiceAccount {
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    vec![Child::typed(
        kinds::SERVICE_ACCOUNT,
        &app.child_meta(&app.name),
        &account,
    )]
}
