//! One thing that the section wants: its class, its inputs, and what the application gets.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimType};
use idp_core::{
    Problem,
    capability::{Egress, EnvSource, Mount, MountSource, SectionRequest},
};

use super::{
    Known,
    inputs::{cannot_change, immutable, size, version},
    items::Item,
    without_class,
};
use crate::{offer, reason, tombstone};

/// What one thing becomes.
pub(super) struct Wanted {
    pub(super) spec: ClaimBindingSpec,
    pub(super) env: Vec<EnvSource>,
    pub(super) mount: Option<Mount>,
    pub(super) egress: Vec<Egress>,
    pub(super) warnings: Vec<Problem>,
}

/// What `item` becomes, or everything that is wrong with it. `new` counts what earlier items add to each class.
pub(super) fn wanted(
    item: &Item,
    request: &SectionRequest,
    known: &Known,
    new: &mut BTreeMap<String, usize>,
) -> Result<Wanted, Vec<Problem>> {
    let one = |problem: Problem| vec![problem];
    let before = before(item, request, known).map_err(one)?;
    let mut warnings = Vec::new();
    let mapped = request.environment_spec["classes"][&item.engine].as_str();
    let name = match (&before, mapped) {
        (Some(before), _) => {
            warnings.extend(
                mapped
                    .filter(|mapped| *mapped != before.class)
                    .map(|mapped| class_changed(item, before, mapped)),
            );
            before.class.clone()
        }
        (None, Some(mapped)) => mapped.to_owned(),
        (None, None) => return Err(one(no_class(item, request))),
    };
    let class = class(item, &name, known).map_err(one)?;
    let mut problems = Vec::new();
    let exists = before.is_some();
    if let Err(problem) = allowed(item, &name, class, request, known) {
        // What exists goes on: a class that is narrowed takes nothing away.
        problems.extend((!exists).then_some(problem));
    } else if !exists {
        let (counted, earlier) = (known.counted(&name).len(), new.entry(name.clone()).or_default());
        problems.extend(over_quota(item, &name, class, counted + *earlier));
        *earlier += 1;
    }
    let version = version(item, class, before.as_ref(), &mut problems);
    let size = size(item, &name, class, before.as_ref(), &mut problems);
    let spec = ClaimBindingSpec {
        application: request.application.clone(),
        name: item.name.clone(),
        path: item.path.clone(),
        engine: item.engine.clone(),
        class: name,
        version,
        size,
        versioned: item.versioned,
        environment: (!request.environment.is_empty()).then(|| request.environment.clone()),
        secret: offer::has_secret(class).then(|| offer::secret_name(&item.binding)),
        released: false,
    };
    problems.extend(
        before
            .as_ref()
            .into_iter()
            .flat_map(|before| immutable(item, class, before, &spec)),
    );
    if !problems.is_empty() {
        return Err(problems);
    }
    let wanted = gets(item, class, spec, request).map_err(|problem| one(problem.at(item.path.clone())))?;
    Ok(Wanted { warnings, ..wanted })
}

/// What the application gets: environment variables, a mount, and the connections that it may open.
fn gets(
    item: &Item,
    class: &ClaimClassSpec,
    spec: ClaimBindingSpec,
    request: &SectionRequest,
) -> Result<Wanted, Problem> {
    let inputs = offer::inputs(class, &request.namespace, &item.binding, &spec);
    let env = offer::env(class, &spec, &inputs)?;
    let mount = match &item.mount_path {
        Some(path) => Some(Mount {
            name: item.binding.clone(),
            path: path.clone(),
            source: MountSource::Claim(item.binding.clone()),
            read_only: false,
        }),
        None => offer::files(class, &spec, &item.binding, &inputs)?,
    };
    Ok(Wanted {
        env,
        mount,
        egress: offer::egress(class, &request.namespace, &inputs)?,
        spec,
        warnings: Vec::new(),
    })
}

/// What the thing was until now: the spec of its binding, or of a claim that was kept from an earlier application of
/// this name.
fn before(item: &Item, request: &SectionRequest, known: &Known) -> Result<Option<ClaimBindingSpec>, Problem> {
    let taken = |what: &str, whose: &str| {
        Problem::error(
            reason::NAME_TAKEN,
            format!("the {what} {} belongs to the application {whose}", item.binding),
        )
        .at(format!("{}.name", item.path))
        .hint("give the database another name")
    };
    let gone = |spec: &ClaimBindingSpec, phase| {
        spec.released && phase == Some(idp_api::claim_binding::ClaimPhase::Deleted)
    };
    let binding = known.bindings.get(&item.binding);
    let claim = known.claims.get(&item.binding);
    if let Some(binding) = binding.filter(|binding| binding.spec.application != request.application) {
        return Err(taken("binding", &binding.spec.application));
    }
    if let Some(claim) = claim.filter(|claim| claim.application != request.application) {
        return Err(taken("claim", &claim.application));
    }
    if let Some(claim) = claim.filter(|claim| claim.deleting) {
        return Err(Problem::error(
            reason::DATA_DELETION,
            format!(
                "the claim {} is being deleted with its data, {}",
                claim.name,
                tombstone::reason(claim, &claim.tombstone.clone().unwrap_or_default())
            ),
        )
        .at(item.path.clone())
        .hint("wait until it is gone, or give the database another name"));
    }
    let binding = binding
        .filter(|binding| !gone(&binding.spec, binding.phase))
        .map(|binding| binding.spec.clone());
    let before = binding.or_else(|| claim.and_then(|claim| claim.binding.clone()));
    match before {
        Some(before) if before.engine != item.engine => {
            Err(cannot_change(item, "engine", &before.engine, &item.engine))
        }
        before => Ok(before),
    }
}

fn class<'a>(item: &Item, name: &str, known: &'a Known) -> Result<&'a ClaimClassSpec, Problem> {
    let class = known.classes.get(name).ok_or_else(|| {
        let missing = || {
            Problem::error(
                reason::CLASS_MISSING,
                format!("there is no ClaimClass {name}, which serves {}", item.engine),
            )
            .hint("the platform team installs the class, or maps the engine to another in the Environment")
        };
        let flaw = known.unreadable.get(name);
        flaw.map_or_else(missing, |flaw| without_class(name, Some(flaw)))
            .at(engine_path(item))
    })?;
    if class.engine != item.engine {
        return Err(offer::invalid(&format!(
            "it offers {}, but the Environment has it serve {}",
            class.engine, item.engine
        ))
        .at(engine_path(item)));
    }
    let volume = class.resource.type_ == ClaimType::PersistentVolumeClaim;
    if item.is_volume() && !volume {
        return Err(
            offer::invalid("it serves volumes, so its resource must be a PersistentVolumeClaim")
                .at(engine_path(item)),
        );
    }
    Ok(class)
}

fn no_class(item: &Item, request: &SectionRequest) -> Problem {
    let engines: Vec<&str> = request.environment_spec["classes"]
        .as_object()
        .map(|classes| classes.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let hint = if engines.is_empty() {
        "the platform team maps engines to ClaimClasses in the Environment's `classes`".to_owned()
    } else {
        format!("this Environment has {}", engines.join(", "))
    };
    Problem::error(
        reason::NO_CLASS,
        format!("the Environment has nothing that serves {}", item.engine),
    )
    .at(engine_path(item))
    .hint(hint)
}

fn class_changed(item: &Item, before: &ClaimBindingSpec, mapped: &str) -> Problem {
    Problem::warning(
        reason::CLASS_CHANGED,
        format!("it stays with the class {}, though the Environment says {mapped} for {} now", before.class, item.engine),
    )
    .at(engine_path(item))
    .hint("to move: add a database of another name, which gets the new class, copy the data, then remove this one")
}

fn allowed(
    item: &Item,
    name: &str,
    class: &ClaimClassSpec,
    request: &SectionRequest,
    known: &Known,
) -> Result<(), Problem> {
    if offer::allows(class, &known.labels).map_err(|problem| problem.at(engine_path(item)))? {
        return Ok(());
    }
    Err(class_not_allowed(name, &request.namespace).at(engine_path(item)))
}

/// The problem of a class that is not for this namespace.
pub(crate) fn class_not_allowed(class: &str, namespace: &str) -> Problem {
    Problem::error(
        reason::CLASS_NOT_ALLOWED,
        format!("the class {class} is not for the namespace {namespace}"),
    )
    .hint("the platform team widens the class's `namespaces`, or labels the namespace")
}

fn over_quota(item: &Item, name: &str, class: &ClaimClassSpec, counted: usize) -> Option<Problem> {
    let quota = class.per_namespace() as usize;
    (counted >= quota).then(|| quota_exceeded(name, quota, counted).at(item.path.clone()))
}

/// The problem of a namespace that has as many of a class as it may have.
/// `counted` are those that count before this one.
pub(crate) fn quota_exceeded(class: &str, quota: usize, counted: usize) -> Problem {
    Problem::error(
        reason::QUOTA_EXCEEDED,
        format!("the namespace may have {quota} of the class {class}, and this would be number {}; kept data count too", counted + 1),
    )
    .hint(format!(
        "remove one, delete data that are kept (`idp-cli data list`), or ask the platform team to raise quota.perNamespace of \
         ClaimClass {class}"
    ))
}

/// Buckets and volumes say by their place what they are.
fn engine_path(item: &Item) -> String {
    if item.path.contains(".storage.") {
        item.path.clone()
    } else {
        format!("{}.engine", item.path)
    }
}
