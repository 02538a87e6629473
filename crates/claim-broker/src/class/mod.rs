//! The controller of ClaimClasses: reports what is wrong with a class before anyone uses it, and deletes retained claims
//! of the class that have no binding, once their deletion was requested and their grace period is over.

pub mod controller;
pub mod observe;
pub mod plan;
pub mod status;
pub mod validate;
