//! Names in certificates, and the patterns that policies allow: pure, and of one meaning each.

mod uri;

pub use idp_core::names::{DnsName, DnsPattern, Malformed};
pub use uri::{UriPattern, normal_uri};
