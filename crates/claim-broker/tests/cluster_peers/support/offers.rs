//! A real Crossplane composes the repository's classes: every ClaimClass becomes a claim, as the broker would create it,
//! and every Composition creates its resources. The cluster serves the providers' kinds, but there is no cloud.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Result, ensure};
use idp_api::{ClaimBindingSpec, ClaimClass, claim_class::ClaimType};
use idp_claim_broker::class_template;
use idp_testkit::eventually_within;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Lab, Way, fields::FIELDS};

/// A Composition of the repository.
struct Composing {
    object: Value,
    resources: Vec<Value>,
}

/// Composes every class of the repository.
pub(crate) async fn every_class_is_composed(lab: &Lab) {
    let namespace = lab.test.namespace("offers").await.unwrap();
    let compositions = compositions(lab.way);
    let kinds: BTreeSet<(String, String)> = compositions
        .iter()
        .flat_map(|composing| &composing.resources)
        .map(|resource| {
            (
                text(&resource["base"]["apiVersion"]),
                text(&resource["base"]["kind"]),
            )
        })
        .filter(|(version, _)| version.contains(".io/"))
        .collect();
    for (version, kind) in &kinds {
        lab.apply(definition(version, kind, lab.way.is_namespaced()))
            .await;
    }
    for composing in &compositions {
        let mut object = composing.object.clone();
        // The embedded function does not compose connection Secrets, and nothing else depends on them.
        if let Some(input) = object
            .pointer_mut("/spec/pipeline/0/input")
            .and_then(Value::as_object_mut)
        {
            input.remove("writeConnectionSecretToRef");
        }
        lab.apply(object).await;
    }
    let claims = claims(lab.way, &namespace);
    assert!(claims.len() > 12, "only {} classes", claims.len());
    for (claim, _) in &claims {
        lab.apply(claim.clone()).await;
    }
    let mut seen = BTreeSet::new();
    for (claim, provider) in &claims {
        let resources = &compositions.iter().find(|composing| {
            let of = text(&composing.object["spec"]["compositeTypeRef"]["kind"]);
            composing.object["metadata"]["labels"]["provider"] == **provider
                && of.trim_start_matches('X') == claim["kind"]
        });
        let resources = &resources
            .unwrap_or_else(|| panic!("{provider} has no Composition for {}", claim["kind"]))
            .resources;
        eventually_within(Duration::from_secs(90), "the class is composed", || async {
            play(lab, &kinds).await?;
            composed(lab, claim, &namespace, resources.len(), provider == "aws").await
        })
        .await;
        seen.insert(claim["kind"].to_string());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    let known: BTreeMap<&str, &[&str]> = FIELDS.into();
    for (version, kind) in &kinds {
        let group = version.split(['.', '/']).next().unwrap_or_default();
        let fields = known
            .get(format!("{group} {kind}").as_str())
            .unwrap_or_else(|| panic!("{version} {kind} is missing in FIELDS"));
        for object in api(lab, version, kind, None)
            .list(&ListParams::default())
            .await
            .unwrap()
        {
            let set = object.data["spec"]["forProvider"].as_object().unwrap();
            let wrong: Vec<_> = set
                .keys()
                .filter(|field| !fields.contains(&field.as_str()))
                .collect();
            assert!(
                wrong.is_empty(),
                "{kind} {} has no fields {wrong:?}",
                object.name_any()
            );
        }
    }
    for (claim, _) in &claims {
        let claims = api(
            lab,
            &lab.way.api_version(),
            &text(&claim["kind"]),
            Some(&namespace),
        );
        let _ = claims
            .delete(&text(&claim["metadata"]["name"]), &Default::default())
            .await;
    }
    let _ = lab.test.delete_namespace(&namespace).await;
}

fn compositions(way: Way) -> Vec<Composing> {
    let compositions = way.compositions().into_iter();
    compositions
        .map(|object| {
            let resources = &object["spec"]["pipeline"][0]["input"]["resources"];
            Composing {
                resources: resources.as_array().unwrap().clone(),
                object,
            }
        })
        .collect()
}

/// A claim of each class, as the broker would create it, and the label that selects its Composition.
fn claims(way: Way, namespace: &str) -> Vec<(Value, String)> {
    let mut claims = Vec::new();
    for (environment, class) in way.classes() {
        let class: ClaimClass = serde_json::from_value(class).expect("a ClaimClass");
        assert_eq!(class_template::check(&class.spec), [], "{}", class.name_any());
        if class.spec.resource.type_ == ClaimType::PersistentVolumeClaim {
            continue;
        }
        let name = format!("{environment}-{}", class.name_any());
        let binding = ClaimBindingSpec {
            application: "shop".into(),
            name: "data".into(),
            engine: class.spec.engine.clone(),
            version: class.spec.default_version.clone(),
            size: class.spec.default_size.clone(),
            secret: class_template::has_secret(&class.spec).then(|| class_template::secret_name(&name)),
            ..ClaimBindingSpec::default()
        };
        let inputs = class_template::inputs(&class.spec, namespace, &name, &binding);
        let mut spec = class_template::claim_spec(&class.spec, &inputs, binding.secret.as_deref())
            .expect("the template can be filled in");
        drop_nulls(&mut spec);
        let provider = class.spec.composition_selector["provider"].clone();
        let claim = json!({ "apiVersion": class.spec.resource.api_version, "kind": class.spec.resource.kind,
            "metadata": { "name": name, "namespace": namespace }, "spec": spec });
        claims.push((claim, provider));
    }
    claims
}

/// Does the work of the providers: all composed resources become ready at once.
async fn play(lab: &Lab, kinds: &BTreeSet<(String, String)>) -> Result<()> {
    let said = |type_: &str| json!({ "type": type_, "status": "True", "reason": "Test", "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let status = json!({ "status": {
        "atProvider": { "arn": "arn:aws:test", "url": "http://queue", "address": "database", "primaryEndpointAddress": "cache",
            "bucketRegionalDomainName": "bucket" },
        "conditions": [said("Ready"), said("Synced")],
    } });
    for (version, kind) in kinds {
        for object in api(lab, version, kind, None).list(&ListParams::default()).await? {
            if object.data["status"].is_null() {
                let namespace = object.namespace();
                let objects = api(lab, version, kind, namespace.as_deref());
                objects
                    .patch_status(
                        &object.name_any(),
                        &PatchParams::default(),
                        &Patch::Merge(&status),
                    )
                    .await?;
            }
        }
    }
    Ok(())
}

/// Whether the claim is synced, with as many resources as its Composition has, and ready if `ready` is set: fake nodes
/// cannot run the pods with volumes that some need.
async fn composed(lab: &Lab, claim: &Value, namespace: &str, count: usize, ready: bool) -> Result<()> {
    let (version, kind) = (text(&claim["apiVersion"]), text(&claim["kind"]));
    let claim = api(lab, &version, &kind, Some(namespace))
        .get(&text(&claim["metadata"]["name"]))
        .await?;
    let (references, of) = match claim.data["spec"]["resourceRef"]["name"].as_str() {
        Some(composite) => {
            let composite = api(lab, &version, &format!("X{kind}"), None)
                .get(composite)
                .await?;
            (composite.data["spec"]["resourceRefs"].clone(), composite)
        }
        None => (
            claim.data["spec"]["crossplane"]["resourceRefs"].clone(),
            claim.clone(),
        ),
    };
    let found = references.as_array().map_or(0, Vec::len);
    ensure!(
        found == count,
        "{}: {found} of {count} resources: {}",
        claim.name_any(),
        of.data["status"]
    );
    let is = |type_: &str| {
        let mut conditions = of.data["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == type_ && condition["status"] == "True")
    };
    ensure!(
        is("Synced") && (!ready || is("Ready")),
        "{}: {}",
        claim.name_any(),
        of.data["status"]
    );
    Ok(())
}

fn definition(version: &str, kind: &str, namespaced: bool) -> Value {
    let (group, version) = version.split_once('/').unwrap();
    let plural = plural(kind);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group, "scope": if namespaced { "Namespaced" } else { "Cluster" },
            "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
            "versions": [{ "name": version, "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }],
        },
    })
}

fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    kind.strip_suffix('y')
        .filter(|rest| !rest.ends_with('e'))
        .map_or_else(|| format!("{kind}s"), |rest| format!("{rest}ies"))
}

fn api(lab: &Lab, version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap();
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural(kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(lab.client(), namespace, &resource),
        None => Api::all_with(lab.client(), &resource),
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, field| !field.is_null());
        fields.values_mut().for_each(drop_nulls);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
