//! `Validated` -> `Plan<Prepared>`. Pure.

use idp_core::{Plan, Prepared};

use super::validate::Validated;

/// A class has no children, only actions on claims.
pub fn plan(class: &Validated) -> Plan<Prepared> {
    Plan {
        actions: class.actions.clone(),
        ..Plan::default()
    }
}
