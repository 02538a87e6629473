//! The certificate policy controller: who may have which certificates, and the certificates of applications.
//!
//! Three controllers and a capability share one process and one view of the policies: `audit` (the policies and what
//! violates them), `binding` (hosts of applications -> Certificates) and `approver` (requests -> approved or denied);
//! `admission` tells the API server what policies allow. `names`, `csr`, `content`, `rules` and `section` are pure, and
//! decide.

pub mod admission;
pub mod approver;
pub mod ask;
pub mod audit;
pub mod binding;
pub mod bound;
pub mod capability;
pub mod content;
pub mod csr;
pub mod facts;
pub mod kinds;
pub mod knowledge;
pub mod names;
mod process;
pub mod request;
pub mod rules;
pub mod secret;
pub mod section;
pub mod terms;

pub use process::{controllers, process};
