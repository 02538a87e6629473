//! Our resources as [`Kind`] values.

use idp_core::Kind;

use crate::{GROUP, VERSION};

/// `WebApplication`.
pub const WEB_APPLICATION: Kind = Kind::namespaced(GROUP, VERSION, "WebApplication", "webapplications");
/// `Environment`.
pub const ENVIRONMENT: Kind = Kind::cluster(GROUP, VERSION, "Environment", "environments");
