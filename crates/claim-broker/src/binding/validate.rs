//! (binding, `Observed`) -> `Validated`. Pure; later phases never re-read the raw spec. A binding is checked in full, because
//! tenants can write bindings: `request` compares it with what its class offers.

mod admission;
mod ownership;
mod request;
#[cfg(test)]
mod tests;

use idp_api::{ClaimBinding, ClaimBindingSpec};
use idp_core::{Action, Kind, Problem};
use kube::ResourceExt;
use serde_json::Value;

use super::observe::Observed;
use crate::{
    class_template, reasons,
    retention::{
        self, RetainedClaim,
        policy::{self, Decision},
    },
    rules,
};

/// A binding with its class filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// Namespace.
    pub namespace: String,
    /// Name of the binding and of the claim.
    pub name: String,
    /// The binding's spec, which the claim carries.
    pub binding: ClaimBindingSpec,
    /// Whether the application no longer uses it.
    pub released: bool,
    /// The claim; none if the binding is released: a deleted claim is not created again.
    pub claim: Option<DesiredClaim>,
    /// Whether the class has a connection Secret.
    pub has_secret: bool,
    /// Whether pods may start before it is ready: a volume may be bound only when the first pod starts.
    pub is_volume: bool,
    /// Problems that do not keep it from working.
    pub warnings: Vec<Problem>,
    /// What to do about the retention annotations of the claim, or about the claim.
    pub actions: Vec<Action>,
}

/// The claim to create or change.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredClaim {
    /// Kind.
    pub kind: Kind,
    /// `spec`.
    pub spec: Value,
    /// UID of the claim that exists: one with another UID would be empty.
    pub uid: Option<String>,
}

/// Resolves the class and checks the binding against it. On `Err` nothing is changed.
///
/// # Errors
/// Everything that keeps the claim from being created or changed, with the path in the application.
pub fn validate(binding: &ClaimBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let spec = &binding.spec;
    let at = |problem: Problem| match problem.path {
        Some(_) => problem,
        None => problem.at(spec.path.clone()),
    };
    let rejected = |problem: Problem| vec![at(problem)];
    let (namespace, name) = (binding.namespace().unwrap_or_default(), binding.name_any());
    let mut validated = Validated {
        released: spec.released,
        binding: spec.clone(),
        claim: None,
        has_secret: false,
        is_volume: false,
        warnings: Vec::new(),
        actions: Vec::new(),
        namespace,
        name,
    };
    ownership::check(binding, observed).map_err(rejected)?;
    if spec.released {
        // A released claim is not changed, only its retention annotations are, whatever the class offers by now.
        validated.actions = actions(binding, observed, false);
        return Ok(validated);
    }
    let class = observed.class.as_ref().ok_or_else(|| {
        rejected(rules::unusable_class(
            &spec.class,
            observed.class_error.as_deref(),
        ))
    })?;
    let kind = kind(&spec.class, observed).map_err(rejected)?;
    if observed.claim.is_none() {
        admission::check(binding, observed).map_err(rejected)?;
    }
    let invalid = request::check(&validated.name, spec, class, observed.claim.as_ref());
    if !invalid.is_empty() {
        return Err(invalid.into_iter().map(at).collect());
    }
    let inputs = class_template::inputs(class, &validated.namespace, &validated.name, spec);
    let claim = class_template::claim_spec(class, &inputs, spec.secret.as_deref()).map_err(|errors| {
        let invalid = |error| at(rules::invalid_class(&spec.class, error));
        errors.iter().map(|error| invalid(error)).collect::<Vec<_>>()
    })?;
    validated.claim = Some(DesiredClaim {
        kind,
        spec: claim,
        uid: observed.claim.as_ref().map(|claim| claim.uid.clone()),
    });
    validated.actions = actions(binding, observed, true);
    validated.has_secret = spec.secret.is_some() && !class.connection.keys.is_empty();
    validated.is_volume = kind == crate::kinds::VOLUME_CLAIM;
    if observed.requests.delete.is_some() {
        validated.warnings.push(at(Problem::warning(
            reasons::DELETE_IGNORED,
            format!(
                "An application uses {}, so its data are not deleted.",
                validated.name
            ),
        )));
    }
    Ok(validated)
}

/// What to do about the claim before its binding is deleted: it is marked as released, if it is this binding's. It is never
/// deleted here: when its grace period is over, the controller of its class does that.
pub fn release(binding: &ClaimBinding, observed: &Observed) -> Vec<Action> {
    let Some(existing) = existing(binding, observed).filter(|_| ownership::check(binding, observed).is_ok())
    else {
        return Vec::new();
    };
    let requested = deletion_requested(&existing.claim.name, observed);
    let decision = if binding.spec.released {
        policy::decide(
            &existing.claim,
            false,
            requested,
            observed.class.as_ref(),
            observed.now,
        )
    } else if existing.claim.deleting {
        Decision::Nothing
    } else {
        // Annotations of an earlier release, which could not be removed, are void: the claim was in use until now.
        policy::release(requested, observed.class.as_ref(), observed.now)
    };
    let decision = if decision == Decision::Delete {
        Decision::Nothing
    } else {
        decision
    };
    retention::plan(&existing, &decision).into_iter().collect()
}

/// What to do about the claim, if [`ownership::check`] passed before.
fn actions(binding: &ClaimBinding, observed: &Observed, in_use: bool) -> Vec<Action> {
    let Some(existing) = existing(binding, observed) else {
        return Vec::new();
    };
    let requested = deletion_requested(&existing.claim.name, observed);
    let decision = policy::decide(
        &existing.claim,
        in_use,
        requested,
        observed.class.as_ref(),
        observed.now,
    );
    retention::plan(&existing, &decision).into_iter().collect()
}

fn deletion_requested(claim: &str, observed: &Observed) -> bool {
    observed.requests.delete.as_deref() == Some(claim)
}

fn existing(binding: &ClaimBinding, observed: &Observed) -> Option<RetainedClaim> {
    Some(RetainedClaim {
        namespace: binding.namespace().unwrap_or_default(),
        kind: observed.claim_kind?,
        claim: observed.claim.clone()?,
    })
}

fn kind(class: &str, observed: &Observed) -> Result<Kind, Problem> {
    let resource = observed.class.as_ref().map(|class| &class.resource);
    let named = resource
        .map(|resource| format!("{} {}", resource.api_version, resource.kind))
        .unwrap_or_default();
    let kind = observed.kind.ok_or_else(|| {
        Problem::error(
            reasons::KIND_NOT_WATCHED,
            format!("ClaimClass {class} creates {named}, a kind that the claim broker does not watch."),
        )
    })?;
    if observed.served {
        return Ok(kind);
    }
    Err(Problem::error(
        reasons::KIND_NOT_SERVED,
        format!("ClaimClass {class} creates {named}, a kind that the cluster does not serve."),
    )
    .hint("Ask the platform team to install Crossplane and platform/compositions. The broker notices within 30 seconds."))
}
