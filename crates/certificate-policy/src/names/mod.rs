//! Names in certificates, and the patterns that policies allow: pure, and of one meaning each.

mod dns;
mod pattern;
mod uri;

pub use dns::{DnsName, Malformed};
pub use pattern::DnsPattern;
pub use uri::{UriPattern, normal_uri};
