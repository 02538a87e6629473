//! (binding, `Observed`) -> `Validated`. Pure; later phases never re-read the raw spec. A binding is checked as if anybody
//! had written it: `request` compares what it asks for with what its class offers.

mod request;
#[cfg(test)]
mod tests;

use idp_api::{ClaimBinding, ClaimBindingSpec, claim_binding::ClaimPhase};
use idp_core::{Action, Kind, Problem};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    data::Held,
    observed::Observed,
    offer, reason,
    section::{class_not_allowed, quota_exceeded, without_class},
    tombstone::{self, Act},
};

/// When no binding can be created any more that is older by its time, which is in whole seconds.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

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
    /// What is to be done about the marks of the claim, or about the claim.
    pub actions: Vec<Action>,
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
        actions: Vec::new(),
        namespace,
        name,
    };
    ownership(binding, observed).map_err(refused)?;
    if spec.released {
        // What nobody wants stays as it is: only its marks change, whatever the class offers by now.
        validated.actions = actions(binding, observed, false);
        return Ok(validated);
    }
    let class = observed
        .class
        .as_ref()
        .ok_or_else(|| refused(without_class(&spec.class, observed.class_flaw.as_deref())))?;
    let kind = kind(&spec.class, observed).map_err(refused)?;
    if observed.claim.is_none() {
        lost(binding, observed).map_err(refused)?;
        admission(binding, observed).map_err(refused)?;
    }
    let wrong = request::check(&validated.name, spec, class, observed.claim.as_ref());
    if !wrong.is_empty() {
        return Err(wrong.into_iter().map(at).collect());
    }
    let inputs = offer::inputs(class, &validated.namespace, &validated.name, spec);
    let claim = offer::claim_spec(class, &inputs, spec.secret.as_deref())
        .map_err(|problems| problems.into_iter().map(at).collect::<Vec<_>>())?;
    validated.claim = Some(DesiredClaim {
        kind,
        spec: claim,
        uid: observed.claim.as_ref().map(|claim| claim.uid.clone()),
    });
    validated.actions = actions(binding, observed, true);
    validated.has_secret = spec.secret.is_some() && !class.connection.keys.is_empty();
    validated.is_volume = kind == crate::kinds::VOLUME_CLAIM;
    if observed.said.delete.is_some() {
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

/// What is to be done to the claim before its binding goes: it is marked, if it is this binding's. It is never deleted
/// here: if its time is over, its class does that.
pub fn farewell(binding: &ClaimBinding, observed: &Observed) -> Vec<Action> {
    let Some(held) = held(binding, observed).filter(|_| ownership(binding, observed).is_ok()) else {
        return Vec::new();
    };
    let asked = asked(&held.claim.name, observed);
    let act = if binding.spec.released {
        tombstone::decide(&held.claim, false, asked, observed.class.as_ref(), observed.now)
    } else if held.claim.deleting {
        Act::Nothing
    } else {
        // Marks of an earlier time, which could not be taken off, count no more: until now it was wanted.
        tombstone::release(asked, observed.class.as_ref(), observed.now)
    };
    let act = if act == Act::Delete { Act::Nothing } else { act };
    tombstone::action(&held, &act).into_iter().collect()
}

/// What is to be done about the marks of the claim, or about the claim. Only what [`ownership`] has passed gets here.
fn actions(binding: &ClaimBinding, observed: &Observed, wanted: bool) -> Vec<Action> {
    let Some(held) = held(binding, observed) else {
        return Vec::new();
    };
    let asked = asked(&held.claim.name, observed);
    let act = tombstone::decide(&held.claim, wanted, asked, observed.class.as_ref(), observed.now);
    tombstone::action(&held, &act).into_iter().collect()
}

fn asked(claim: &str, observed: &Observed) -> bool {
    observed.said.delete.as_deref() == Some(claim)
}

fn held(binding: &ClaimBinding, observed: &Observed) -> Option<Held> {
    Some(Held {
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

/// Whether the claim, if there is one, is this binding's: of its application, its class and that class's kind. What is
/// not is neither written nor marked nor deleted, whatever the binding says.
fn ownership(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let Some(claim) = &observed.claim else {
        return Ok(());
    };
    let (name, class) = (&claim.name, &binding.spec.class);
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
    let resource = observed.class.as_ref().map(|class| &class.resource);
    let other_kind =
        resource.filter(|resource| claim.kind != resource.kind || claim.api_version != resource.api_version);
    if let Some(resource) = other_kind {
        return Err(Problem::error(
            reason::KIND_CHANGED,
            format!(
                "{} {name} exists, and the class {class} makes a {}; a second one is not made",
                claim.kind, resource.kind
            ),
        )
        .hint(format!(
            "delete this binding; what exists stays as it is, in its own class {}",
            claim.class
        )));
    }
    let engine = claim.binding.as_ref().map(|before| before.engine.as_str());
    if claim.class != *class || engine.is_some_and(|engine| engine != binding.spec.engine) {
        return Err(Problem::error(
            reason::CLASS_DIFFERS,
            format!(
                "{} {name} is {} of the class {}, not {} of the class {class}; what exists stays as it is",
                claim.kind,
                engine.unwrap_or("a claim"),
                claim.class,
                binding.spec.engine
            ),
        )
        .hint("delete this binding; to move data to another class, add a database of another name and copy them"));
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
fn admission(binding: &ClaimBinding, observed: &Observed) -> Result<(), Problem> {
    let (Some(class), name) = (&observed.class, &binding.spec.class) else {
        return Ok(());
    };
    if !offer::allows(class, &observed.labels)? {
        let namespace = binding.namespace().unwrap_or_default();
        return Err(class_not_allowed(name, &namespace));
    }
    let quota = class.per_namespace() as usize;
    if observed.before >= quota {
        return Err(quota_exceeded(name, quota, observed.before));
    }
    if observed.others >= quota && is_young(binding, observed.now) {
        // Who is first is known only when nobody can come before any more: times are in whole seconds.
        return Err(Problem::warning(
            reason::QUOTA_UNDECIDED,
            format!("others want one of the class {name} in the same moment, and not all may have it"),
        )
        .hint("wait two seconds: the first gets it"));
    }
    Ok(())
}

fn is_young(binding: &ClaimBinding, now: Timestamp) -> bool {
    let created = binding.creation_timestamp().map(|time| time.0);
    created.is_none_or(|created| now.duration_since(created) < SETTLED)
}
