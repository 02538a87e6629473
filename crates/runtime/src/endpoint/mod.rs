//! The HTTP endpoint: `/livez`, `/readyz` and `/metrics`.

pub(crate) mod health;
pub(crate) mod scrape;
