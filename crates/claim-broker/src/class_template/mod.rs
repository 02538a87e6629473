//! What a class gives one binding: the claim's spec, environment variables, files and network access, filled in from the
//! class's templates. Pure.

mod check;
mod claim_spec;
mod connection;
mod inputs;
pub mod placeholders;
#[cfg(test)]
mod tests;

pub use check::{allows, check};
pub use claim_spec::claim_spec;
pub use connection::{MAX_OBJECT_NAME, egress, env, env_prefix, files, has_secret, secret_name};
pub use inputs::inputs;
