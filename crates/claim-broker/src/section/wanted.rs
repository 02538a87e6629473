//! One item of the section: its class, its inputs, and what the application gets.

use std::collections::BTreeMap;

use idp_api::{ClaimBindingSpec, ClaimClassSpec, claim_class::ClaimType};
use idp_core::{
    Problem,
    capability::{Egress, EnvSource, Mount, MountSource, SectionRequest},
};

use super::{
    inputs::{cannot_change, immutable, size, version},
    items::Item,
    known::Known,
};
use crate::{
    class_template::{self, placeholders::TemplateError},
    reasons, retention, rules,
};

/// What an item becomes.
pub(super) struct Wanted {
    pub(super) spec: ClaimBindingSpec,
    pub(super) env: Vec<EnvSource>,
    pub(super) mount: Option<Mount>,
    pub(super) egress: Vec<Egress>,
    pub(super) warnings: Vec<Problem>,
}

/// What `item` becomes, or everything that is wrong with it. `new` counts the claims that earlier items add to each class.
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
    if let Err(problem) = rules::namespace(&name, class, &request.namespace, &known.labels) {
        // An existing claim stays, even if its class excludes the namespace by now.
        problems.extend((!exists).then(|| problem.at(engine_path(item))));
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
        secret: class_template::has_secret(class).then(|| class_template::secret_name(&item.binding)),
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
    let name = spec.class.clone();
    let wanted = connection(item, class, spec, request)
        .map_err(|error| one(rules::invalid_class(&name, &error).at(item.path.clone())))?;
    Ok(Wanted { warnings, ..wanted })
}

/// What the application gets: environment variables, a mount, and the connections that it may open.
fn connection(
    item: &Item,
    class: &ClaimClassSpec,
    spec: ClaimBindingSpec,
    request: &SectionRequest,
) -> Result<Wanted, TemplateError> {
    let inputs = class_template::inputs(class, &request.namespace, &item.binding, &spec);
    let env = class_template::env(class, &spec, &inputs)?;
    let mount = match &item.mount_path {
        Some(path) => Some(Mount {
            name: item.binding.clone(),
            path: path.clone(),
            source: MountSource::Claim(item.binding.clone()),
            read_only: false,
        }),
        None => class_template::files(class, &spec, &item.binding, &inputs)?,
    };
    Ok(Wanted {
        env,
        mount,
        egress: class_template::egress(class, &request.namespace, &inputs)?,
        spec,
        warnings: Vec::new(),
    })
}

/// The item until now: the spec of its binding, or of a claim retained from an earlier application with this name.
fn before(item: &Item, request: &SectionRequest, known: &Known) -> Result<Option<ClaimBindingSpec>, Problem> {
    let taken = |what: &str, whose: &str| {
        Problem::error(
            reasons::NAME_TAKEN,
            format!("The {what} {} belongs to the application {whose}.", item.binding),
        )
        .at(format!("{}.name", item.path))
        .hint("Rename the database.")
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
            reasons::DATA_DELETION,
            format!(
                "The claim {} is being deleted with its data: {}.",
                claim.name,
                retention::deletion_cause(claim, &claim.tombstone.clone().unwrap_or_default())
            ),
        )
        .at(item.path.clone())
        .hint("Wait until the claim is deleted, or rename the database."));
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
    let at_engine = |problem: Problem| problem.at(engine_path(item));
    let class = known.classes.get(name).ok_or_else(|| {
        let error = known.unreadable.get(name);
        at_engine(rules::unusable_class(name, error.map(String::as_str)))
    })?;
    let invalid = |fault: &str| at_engine(rules::invalid_class(name, &fault));
    if class.engine != item.engine {
        return Err(invalid(&format!(
            "it offers {}, but the Environment maps {} to it",
            class.engine, item.engine
        )));
    }
    let is_volume_class = class.resource.type_ == ClaimType::PersistentVolumeClaim;
    if item.is_volume() && !is_volume_class {
        return Err(invalid(
            "it serves volumes, so resource.type must be PersistentVolumeClaim",
        ));
    }
    Ok(class)
}

fn no_class(item: &Item, request: &SectionRequest) -> Problem {
    let engines: Vec<&str> = request.environment_spec["classes"]
        .as_object()
        .map(|classes| classes.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let problem = Problem::error(
        reasons::NO_CLASS,
        format!("The Environment has no class for {}.", item.engine),
    )
    .at(engine_path(item));
    if engines.is_empty() {
        problem
    } else {
        problem.hint(format!("Choose one of {}.", engines.join(", ")))
    }
}

fn class_changed(item: &Item, before: &ClaimBindingSpec, mapped: &str) -> Problem {
    Problem::warning(
        reasons::CLASS_CHANGED,
        format!(
            "{} keeps the class {}, though the Environment maps {} to {mapped} now.",
            item.name, before.class, item.engine
        ),
    )
    .at(engine_path(item))
}

fn over_quota(item: &Item, name: &str, class: &ClaimClassSpec, counted: usize) -> Option<Problem> {
    let quota = class.per_namespace() as usize;
    (counted >= quota).then(|| rules::quota_exceeded(name, quota, counted).at(item.path.clone()))
}

/// The field that decides the engine: buckets and volumes have none.
fn engine_path(item: &Item) -> String {
    if item.path.contains(".storage.") {
        item.path.clone()
    } else {
        format!("{}.engine", item.path)
    }
}
