//! Names of hosts and objects, and patterns of them.

mod dns;
mod host;
mod object;
mod pattern;

pub use dns::{DnsName, Malformed};
pub use host::{host_terms, is_everybodys, overlap, overlap_terms};
pub use object::{is_label, is_path_segment, is_subdomain};
pub use pattern::{DnsPattern, Label};
