//! (binding, `Observed`) -> `Validated`. Pure; later phases never re-read the raw spec.

use idp_api::{ClaimBinding, ClaimBindingSpec, claim_binding::ClaimPhase};
use idp_core::{Kind, Problem};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    observed::Observed,
    offer, reason,
    section::{class_not_allowed, quota_exceeded},
};

/// A binding with its class filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// Namespace.
    pub namespace: String,
    /// Name of the binding and of the claim.
    pub name: String,
    /// The binding's spec, which the claim carries along.
    pub binding: ClaimBindingSpec,
    /// Whether the application does not want it any more.
    pub released: bool,
    /// The claim, unless there is to be none: data that were let go of and are gone are not made anew.
    pub claim: Option<DesiredClaim>,
    /// Whether the class offers a connection Secret.
    pub has_secret: bool,
    /// Whether pods may start before it is ready: a volume may wait for the first of them.
    pub is_volume: bool,
    /// What is not as it should be, though it works.
    pub warnings: Vec<Problem>,
}

/// What the claim is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredClaim {
    /// Kind.
    pub kind: Kind,
    /// `spec`.
    pub spec: Value,
    /// UID of the claim that exists: another one would be empty.
    pub uid: Option<String>,
}

/// Resolves the class and checks what has to do with other objects. On `Err` what exists stays as it is.
///
/// # Errors
/// Everything that keeps the claim from being made or changed, with the place in the application.
pub fn validate(binding: &ClaimBinding, observed: &Observed) -> Result<Validated, Vec<Problem>> {
    let spec = &binding.spec;
    let at = |problem: Problem| match problem.path {
        Some(_) => problem,
        None => problem.at(spec.path.clone()),
    };
    let refused = |problem: Problem| vec![at(problem)];
    let (namespace, name) = (binding.namespace().unwrap_or_default(), binding.name_any());
    let mut validated = Validated {
        released: spec.released,
        binding: spec.clone(),
        claim: None,
        has_secret: false,
        is_volume: false,
        warnings: Vec::new(),
        namespace,
        name,
    };
    if spec.released && observed.claim.as_ref().is_none_or(|claim| claim.deleting) {
        return Ok(validated);
    }
    let class = observed
        .class
        .as_ref()
        .ok_or_else(|| refused(class_missing(&spec.class)))?;
    let kind = kind(&spec.class, observed).map_err(refused)?;
    ownership(binding, kind, observed).map_err(refused)?;
    if observed.claim.is_none() {
        lost(binding, observed).map_err(refused)?;
        admission(spec, &validated.namespace, observed).map_err(refused)?;
    }
    let inputs = offer::inputs(class, &validated.namespace, &validated.name, spec);
    let claim = offer::claim_spec(class, &inputs, spec.secret.as_deref())
        .map_err(|problems| problems.into_iter().map(at).collect::<Vec<_>>())?;
    validated.claim = Some(DesiredClaim {
        kind,
        spec: claim,
        uid: observed.claim.as_ref().map(|claim| claim.uid.clone()),
    });
    validated.has_secret = spec.secret.is_some() && !class.connection.keys.is_empty();
    validated.is_volume = kind == crate::kinds::VOLUME_CLAIM;
    if !spec.released && observed.said.delete.is_some() {
        let problem = Problem::warning(
            reason::DELETE_IGNORED,
            format!("{} is in use, so its data are not deleted", validated.name),
        );
        validated
            .warnings
            .push(at(problem.hint("remove it from the application first")));
    }
    Ok(validated)
}

fn class_missing(class: &str) -> Problem {
    Problem::error(
        reason::CLASS_MISSING,
        format!("there is no ClaimClass {class}; what exists stays as it is"),
    )
    .hint("the platform team installs the class again")
}

fn kind(class: &str, observed: &Observed) -> Result<Kind, Problem> {
    let resource = observed.class.as_ref().map(|class| &class.resource);
    let named = resource
        .map(|resource| format!("{} {}", resource.api_version, resource.kind))
        .unwrap_or_default();
    let kind = observed.kind.ok_or_else(|| {
        Problem::error(
            reason::KIND_NOT_WATCHED,
            format!("the class {class} makes {named}, a kind that the claim broker does not know"),
        )
        .hint("the platform team adds the kind to the broker's --claim-kind and to its ClusterRole")
    })?;
    if observed.served {
        return Ok(kind);
    }
    Err(Problem::error(
        reason::KIND_NOT_SERVED,
        format!("the cluster has no kind {named}, which the class {class} makes"),
    )
    .hint(
        "the platform team installs Crossplane and platform/compositions; it is noticed within half a minute",
    ))
}

/// One claim for a binding, of one kind, and of nobody else.
fn ownership(binding: &ClaimBinding, kind: Kind, observed: &Observed) -> Result<(), Problem> {
    let Some(claim) = &observed.claim else {
        return Ok(());
    };
    let name = &claim.name;
    if claim.application != binding.spec.application {
        return Err(Problem::error(
            reason::NAME_TAKEN,
            format!(
                "{} {name} belongs to the application {}",
                claim.kind, claim.application
            ),
        )
        .hint("give the database another name"));
    }
    if claim.kind != kind.kind || claim.api_version != kind.api_version() {
        return Err(Problem::error(
            reason::KIND_CHANGED,
            format!("{} {name} exists, and the class {} makes a {kind} now; a second one is not made", claim.kind, binding.spec.class),
        )
        .hint("the platform team gives the class its old kind again, and offers the new one as a class of another name"));
    }
    Ok(())
}

/// A claim that was there and is not any more: a new one would be empty, and look like the old.
fn lost(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let name = binding.name_any();
    let Some(status) = &binding.status else {
        return Ok(());
    };
    let Some(claim) = status
        .claim
        .as_ref()
        .filter(|_| status.phase != Some(ClaimPhase::Deleted))
    else {
        return Ok(());
    };
    if observed.said.recreate.as_ref() == Some(&claim.uid) {
        return Ok(());
    }
    Err(Problem::error(
        reason::CLAIM_LOST,
        format!(
            "somebody deleted {} {name}; a new one is not made by itself, because it would be empty",
            claim.kind
        ),
    )
    .hint(format!(
        "restore it, or have an empty one: `kubectl -n {} annotate --overwrite claimbinding {name} {}={}`",
        binding.namespace().unwrap_or_default(),
        crate::marks::RECREATE,
        claim.uid
    )))
}

/// Whether a claim that does not exist yet may be made.
fn admission(spec: &ClaimBindingSpec, namespace: &str, observed: &Observed) -> Result<(), Problem> {
    let Some(class) = &observed.class else {
        return Ok(());
    };
    if !offer::allows(class, &observed.labels)? {
        return Err(class_not_allowed(&spec.class, namespace));
    }
    let quota = class.quota.as_ref().map(|quota| quota.per_namespace as usize);
    match quota.filter(|quota| observed.before >= *quota) {
        Some(quota) => Err(quota_exceeded(&spec.class, quota)),
        None => Ok(()),
    }
}
