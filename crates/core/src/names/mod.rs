//! Names of hosts and of objects, and the patterns that policies allow: pure, and of one meaning each.

mod dns;
mod host;
mod object;
mod pattern;

pub use dns::{DnsName, Malformed};
pub use host::{host_terms, is_everybodys, overlap, overlap_terms};
pub use object::{is_label, is_path_segment, is_subdomain};
pub use pattern::{DnsPattern, Label};
