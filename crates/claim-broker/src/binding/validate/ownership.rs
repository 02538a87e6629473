//! Whether an existing claim belongs to a binding.

use idp_api::ClaimBinding;
use idp_core::Problem;

use crate::{binding::observe::Observed, reasons};

/// Whether the claim, if it exists, is this binding's: of its application, its class and that class's kind. Any other claim
/// is neither written, marked nor deleted, whatever the binding says.
pub(super) fn check(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let Some(claim) = &observed.claim else {
        return Ok(());
    };
    let (name, class) = (&claim.name, &binding.spec.class);
    if claim.application != binding.spec.application {
        return Err(Problem::error(
            reasons::NAME_TAKEN,
            format!(
                "{} {name} belongs to the application {}.",
                claim.kind, claim.application
            ),
        )
        .hint("Rename the database."));
    }
    let resource = observed.class.as_ref().map(|class| &class.resource);
    let other_kind =
        resource.filter(|resource| claim.kind != resource.kind || claim.api_version != resource.api_version);
    if let Some(resource) = other_kind {
        return Err(Problem::error(
            reasons::KIND_CHANGED,
            format!(
                "{} {name} exists, but ClaimClass {class} creates a {}. No second claim is created.",
                claim.kind, resource.kind
            ),
        )
        .hint(format!(
            "Delete the binding. The existing claim stays, in its own ClaimClass {}.",
            claim.class
        )));
    }
    let engine = claim.binding.as_ref().map(|before| before.engine.as_str());
    if claim.class != *class || engine.is_some_and(|engine| engine != binding.spec.engine) {
        return Err(Problem::error(
            reasons::CLASS_DIFFERS,
            format!(
                "{} {name} is {} of ClaimClass {}, not {} of ClaimClass {class}. It is unchanged.",
                claim.kind,
                engine.unwrap_or("a claim"),
                claim.class,
                binding.spec.engine
            ),
        ));
    }
    Ok(())
}
