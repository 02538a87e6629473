//! ServiceAccount: the identity of the pods.

use idp_core::Child;
use k8s_openapi::api::core::v1::ServiceAccount;

use crate::{kinds, validate::Validated};

/// Each application has its own account, because identities in the mesh are accounts. It has no permissions, and its
/// token is not mounted.
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
