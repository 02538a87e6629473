use idp_api::{
    ClaimBindingSpec,
    claim_binding::{ClaimPhase, Tombstone},
    claim_class::ClaimQuota,
};
use idp_core::{
    Severity,
    capability::{MountSource, ValueFrom},
};
use serde_json::{Value, json};

use super::*;
use crate::{facts::ClaimFacts, rules::unusable_class};

fn request(section: Value) -> SectionRequest {
    SectionRequest {
        namespace: "team".into(),
        application: "shop".into(),
        environment: "staging".into(),
        environment_spec: json!({ "classes": { "postgres": "pg", "bucket": "s3", "volume": "files" } }),
        section,
        path: "spec".into(),
    }
}

fn known() -> Known {
    let pg = json!({
        "engine": "postgres",
        "resource": { "type": "Claim", "apiVersion": "platform.idp.dev/v1alpha1", "kind": "PostgresInstance" },
        "versions": ["15", "16"], "defaultVersion": "16",
        "sizes": { "small": { "gb": 20 }, "large": { "gb": 100 } }, "defaultSize": "small",
        "template": { "parameters": { "gb": "{size.gb}" } },
        "connection": { "keys": [{ "key": "host", "env": "HOST" }, { "key": "password", "env": "PASSWORD" }] },
        "immutable": ["Version"],
    });
    let s3 = json!({
        "engine": "bucket",
        "resource": { "type": "Claim", "apiVersion": "platform.idp.dev/v1alpha1", "kind": "ObjectBucket" },
        "connection": { "variables": [{ "env": "REGION", "value": "eu-west-1" }] },
    });
    let files = json!({
        "engine": "volume",
        "resource": { "type": "PersistentVolumeClaim", "apiVersion": "v1", "kind": "PersistentVolumeClaim" },
        "template": { "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "{size}" } } },
    });
    let class = |value: Value| serde_json::from_value(value).unwrap();
    Known {
        classes: [
            ("pg".into(), class(pg)),
            ("s3".into(), class(s3)),
            ("files".into(), class(files)),
        ]
        .into(),
        ..Known::default()
    }
}

fn orders() -> Value {
    json!({ "databases": [{ "name": "orders", "engine": "postgres" }] })
}

fn reasons(plan: &SectionPlan) -> Vec<(&str, &str)> {
    let problems = plan.problems.iter();
    problems
        .map(|problem| {
            (
                problem.reason.as_str(),
                problem.path.as_deref().unwrap_or_default(),
            )
        })
        .collect()
}

/// What exists after `plan` was applied.
fn after(mut known: Known, plan: &SectionPlan, claims: bool) -> Known {
    for binding in &plan.bindings {
        let spec: ClaimBindingSpec = serde_json::from_value(binding.spec.clone()).unwrap();
        if claims {
            let claim = ClaimFacts {
                name: binding.name.clone(),
                kind: "PostgresInstance".into(),
                application: spec.application.clone(),
                class: spec.class.clone(),
                binding: Some(spec.clone()),
                ..ClaimFacts::default()
            };
            known.claims.insert(binding.name.clone(), claim);
        }
        known.bindings.insert(
            binding.name.clone(),
            KnownBinding {
                spec,
                phase: Some(ClaimPhase::Creating),
            },
        );
    }
    known
}

#[test]
fn a_database_becomes_a_binding_and_variables() {
    let plan = plan(&request(orders()), &known());
    assert_eq!(plan.problems, []);
    assert_eq!(plan.bindings.len(), 1);
    let spec = &plan.bindings[0].spec;
    assert_eq!(
        (plan.bindings[0].kind.as_str(), plan.bindings[0].name.as_str()),
        ("ClaimBinding", "shop-orders")
    );
    assert_eq!(
        (&spec["class"], &spec["version"], &spec["size"]),
        (&json!("pg"), &json!("16"), &json!("small"))
    );
    assert_eq!(spec["secret"], "shop-orders-connection");
    let ValueFrom::Secret(host) = &plan.env[0].from else {
        panic!("{:?}", plan.env)
    };
    assert_eq!(
        (plan.env[0].name.as_str(), host.name.as_str(), host.key.as_str()),
        ("ORDERS_HOST", "shop-orders-connection", "host")
    );
}

#[test]
fn storage_becomes_bindings_and_mounts() {
    let section = json!({ "storage": { "buckets": [{ "name": "images" }],
        "volumes": [{ "name": "cache", "mountPath": "/cache", "size": "1Gi" }] } });
    let plan = plan(&request(section), &known());
    assert_eq!(plan.problems, []);
    let names: Vec<&str> = plan
        .bindings
        .iter()
        .map(|binding| binding.name.as_str())
        .collect();
    assert_eq!(names, ["shop-images-bucket", "shop-cache-volume"]);
    assert_eq!(plan.env[0].name, "IMAGES_REGION");
    assert_eq!(
        plan.mounts[0].source,
        MountSource::Claim("shop-cache-volume".into())
    );
    assert_eq!(
        (plan.mounts[0].path.as_str(), plan.mounts[0].read_only),
        ("/cache", false)
    );
    assert_eq!(plan.bindings[1].spec["size"], "1Gi");
}

#[test]
fn all_problems_are_reported_at_once_with_their_paths() {
    let section = json!({ "databases": [
        { "name": "a", "engine": "oracle" },
        { "name": "b", "engine": "postgres", "version": "9", "size": "huge" },
        { "name": "c", "engine": "postgres" },
    ], "storage": { "buckets": [{ "name": "c" }] } });
    let mut known = known();
    known.classes.get_mut("pg").unwrap().namespaces =
        Some(serde_json::from_value(json!({ "matchLabels": { "tier": "gold" } })).unwrap());
    known.classes.remove("s3");
    let plan = plan(&request(section), &known);
    assert_eq!(
        reasons(&plan),
        [
            ("NoClass", "spec.databases[0].engine"),
            ("ClassNotAllowed", "spec.databases[1].engine"),
            ("UnknownVersion", "spec.databases[1].version"),
            ("UnknownSize", "spec.databases[1].size"),
            ("ClassNotAllowed", "spec.databases[2].engine"),
            ("ClassMissing", "spec.storage.buckets[0]"),
        ]
    );
    assert!(plan.bindings.is_empty(), "with one error there is no plan");
}

#[test]
fn a_quota_rejects_new_claims_and_removes_none() {
    let mut known = known();
    known.classes.get_mut("pg").unwrap().quota = Some(ClaimQuota { per_namespace: 2 });
    let two = json!({ "databases": [{ "name": "a", "engine": "postgres" }, { "name": "b", "engine": "postgres" }] });
    let first = plan(&request(two.clone()), &known);
    assert_eq!(first.problems, []);
    let mut known = after(known, &first, true);
    let other = SectionRequest {
        application: "other".into(),
        ..request(orders())
    };
    assert_eq!(
        reasons(&plan(&other, &known)),
        [("QuotaExceeded", "spec.databases[0]")]
    );
    // Lowering it removes nothing; retained data count.
    known.classes.get_mut("pg").unwrap().quota = Some(ClaimQuota { per_namespace: 1 });
    assert_eq!(plan(&request(two), &known).problems, []);
    let one = json!({ "databases": [{ "name": "a", "engine": "postgres" }] });
    let released = plan(&request(one), &known);
    let known = after(known, &released, true);
    assert_eq!(
        reasons(&plan(&other, &known)),
        [("QuotaExceeded", "spec.databases[0]")]
    );
}

#[test]
fn a_removed_database_is_retained_and_comes_back_as_it_was() {
    let known = after(known(), &plan(&request(orders()), &known()), true);
    let removed = plan(&request(json!({})), &known);
    assert_eq!(reasons(&removed), [("DataKept", "spec")]);
    assert_eq!(removed.problems[0].severity, Severity::Warning);
    assert!(
        removed.problems[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("idp-cli data delete shop-orders -n team")
    );
    assert_eq!(
        (
            removed.bindings[0].name.as_str(),
            &removed.bindings[0].spec["released"]
        ),
        ("shop-orders", &json!(true))
    );
    assert!(removed.env.is_empty());
    let known = after(known, &removed, true);
    let again = plan(&request(orders()), &known);
    assert_eq!(again.problems, []);
    assert_eq!(again.bindings[0].spec.get("released"), None);
}

#[test]
fn a_binding_exists_until_its_data_are_deleted() {
    let mut known = after(known(), &plan(&request(orders()), &known()), true);
    known.claims.get_mut("shop-orders").unwrap().tombstone = Some(Tombstone {
        since: "s".into(),
        until: "u".into(),
        delete: true,
        by_class: false,
    });
    let going = plan(&request(json!({})), &known);
    assert_eq!(reasons(&going), [("DataDeletion", "spec")]);
    let mut known = after(known, &going, false);
    known.claims.clear();
    known.bindings.get_mut("shop-orders").unwrap().phase = Some(ClaimPhase::Deleted);
    assert_eq!(plan(&request(json!({})), &known), SectionPlan::default());
    // Named again, it is a new one.
    assert_eq!(plan(&request(orders()), &known).bindings.len(), 1);
}

#[test]
fn an_existing_database_keeps_its_class_version_and_engine() {
    let mut known = after(known(), &plan(&request(orders()), &known()), true);
    let mut elsewhere = request(orders());
    elsewhere.environment_spec = json!({ "classes": { "postgres": "aurora" } });
    known.classes.get_mut("pg").unwrap().default_version = Some("15".into());
    let stays = plan(&elsewhere, &known);
    assert_eq!(reasons(&stays), [("ClassChanged", "spec.databases[0].engine")]);
    assert_eq!(
        (
            &stays.bindings[0].spec["class"],
            &stays.bindings[0].spec["version"]
        ),
        (&json!("pg"), &json!("16"))
    );

    let upgraded =
        request(json!({ "databases": [{ "name": "orders", "engine": "postgres", "version": "15" }] }));
    let refused = plan(&upgraded, &known);
    assert_eq!(
        reasons(&refused),
        [("ImmutableField", "spec.databases[0].version")]
    );
    assert!(
        refused.problems[0]
            .hint
            .as_ref()
            .unwrap()
            .starts_with("Add a database with another name and version 15, copy")
    );
    let bigger =
        request(json!({ "databases": [{ "name": "orders", "engine": "postgres", "size": "large" }] }));
    assert_eq!(plan(&bigger, &known).problems, []);
    let engine = request(json!({ "databases": [{ "name": "orders", "engine": "mysql" }] }));
    assert_eq!(
        reasons(&plan(&engine, &known)),
        [("ImmutableField", "spec.databases[0].engine")]
    );
}

#[test]
fn retained_data_are_used_again_only_by_an_application_of_the_same_name() {
    let before = after(known(), &plan(&request(orders()), &known()), true);
    let mut known = Known {
        bindings: BTreeMap::new(),
        ..before
    };
    known.classes.get_mut("pg").unwrap().default_version = Some("15".into());
    let again = plan(&request(orders()), &known);
    assert_eq!(
        (again.problems.len(), &again.bindings[0].spec["version"]),
        (0, &json!("16"))
    );
    let mut other = request(json!({ "databases": [{ "name": "b", "engine": "postgres" }] }));
    other.application = "shop-orders".into();
    let claim = known.claims.remove("shop-orders").unwrap();
    known.claims.insert("shop-orders-b".into(), claim);
    assert_eq!(
        reasons(&plan(&other, &known)),
        [("NameTaken", "spec.databases[0].name")]
    );
}

#[test]
fn two_items_with_one_name_are_rejected() {
    let section = json!({ "databases": [{ "name": "a-bucket", "engine": "postgres" }],
        "storage": { "buckets": [{ "name": "a" }] } });
    assert_eq!(
        reasons(&plan(&request(section), &known())),
        [("Duplicate", "spec.storage.buckets[0].name")]
    );
    let mut known = known();
    known.classes.get_mut("s3").unwrap().connection.variables[0].env = "HOST".into();
    let section = json!({ "databases": [{ "name": "a", "engine": "postgres" }], "storage": { "buckets": [{ "name": "a" }] } });
    assert_eq!(
        reasons(&plan(&request(section), &known)),
        [("Duplicate", "spec.storage.buckets[0].name")]
    );
}

#[test]
fn an_unreadable_section_is_a_problem() {
    assert_eq!(
        reasons(&plan(&request(json!({ "caches": [] })), &known())),
        [("Invalid", "spec")]
    );
    assert!(schema()["properties"]["databases"].is_object());
}

#[test]
fn the_deletion_policy_of_a_class_is_reported_before_and_after_the_release() {
    let mut known = after(known(), &plan(&request(orders()), &known()), true);
    let class = known.classes.get_mut("pg").unwrap();
    class.deletion_policy = idp_api::claim_class::DeletionPolicy::Delete;
    class.grace_period = "24h".into();
    let check = |known: &Known, when: &str| {
        let removed = plan(&request(json!({})), known);
        assert_eq!(reasons(&removed), [("DataDeletion", "spec")]);
        let (message, hint) = (
            &removed.problems[0].message,
            removed.problems[0].hint.clone().unwrap(),
        );
        assert!(
            message.contains("class pg has deletionPolicy: Delete") && message.contains(when),
            "{message}"
        );
        assert!(
            !message.contains("requested") && !message.contains("retained"),
            "{message}"
        );
        assert!(!hint.contains("undelete"), "{hint}");
        assert!(hint.contains("name it in the application shop again"), "{hint}");
    };
    check(&known, "24h after the release");
    known.claims.get_mut("shop-orders").unwrap().tombstone = Some(Tombstone {
        since: "s".into(),
        until: "2026-01-02T00:00:00Z".into(),
        delete: true,
        by_class: true,
    });
    check(&known, "after 2026-01-02T00:00:00Z");
}

#[test]
fn a_section_is_checked_for_every_caller() {
    let volume = |name: &str, path: &str, size: &str| json!({ "storage": { "volumes": [{ "name": name, "mountPath": path, "size": size }] } });
    let at = |field: &str| format!("spec.storage.volumes[0].{field}");
    for (section, reason, path) in [
        (
            volume("y/../../../../sec-11/claimbindings/z", "/data", "1Gi"),
            "Invalid",
            at("name"),
        ),
        (volume("x?dryRun=All&a=", "/data", "1Gi"), "Invalid", at("name")),
        (volume("", "/data", "1Gi"), "Invalid", at("name")),
        (volume("-a", "/data", "1Gi"), "Invalid", at("name")),
        (volume(&"a".repeat(41), "/data", "1Gi"), "Invalid", at("name")),
        (volume("big", "/etc/../root", "1Gi"), "Invalid", at("mountPath")),
        (volume("big", "/etc//root", "1Gi"), "Invalid", at("mountPath")),
        (volume("big", "data", "1Gi"), "Invalid", at("mountPath")),
        (volume("big", "/", "1Gi"), "Invalid", at("mountPath")),
        (volume("big", "/data\n", "1Gi"), "Invalid", at("mountPath")),
        (volume("big", "/data", "900Ei"), "SizeExceeded", at("size")),
        (volume("big", "/data", "1e30"), "SizeExceeded", at("size")),
        (volume("big", "/data", "-1Gi"), "InvalidSize", at("size")),
        (volume("big", "/data", "0"), "InvalidSize", at("size")),
        (volume("big", "/data", "1Gi; x"), "InvalidSize", at("size")),
        (volume("big", "/data", "100m"), "InvalidSize", at("size")),
        (
            json!({ "databases": [{ "name": "Orders", "engine": "postgres" }] }),
            "Invalid",
            "spec.databases[0].name".into(),
        ),
        (
            json!({ "databases": [{ "name": "a", "engine": "postgres", "version": "9".repeat(33) }] }),
            "Invalid",
            "spec.databases[0].version".into(),
        ),
    ] {
        let plan = plan(&request(section.clone()), &known());
        assert_eq!(reasons(&plan), [(reason, path.as_str())], "{section}");
        assert!(plan.bindings.is_empty() && plan.mounts.is_empty());
    }
    let many: Vec<Value> = (0..17)
        .map(|index| json!({ "name": format!("a{index}"), "engine": "postgres" }))
        .collect();
    let plan = plan(&request(json!({ "databases": many })), &known());
    assert_eq!(reasons(&plan), [("Invalid", "spec.databases")]);
}

#[test]
fn a_volume_has_at_most_the_size_of_its_class_and_never_shrinks() {
    let volume = |size: &str| {
        request(
            json!({ "storage": { "volumes": [{ "name": "cache", "mountPath": "/cache", "size": size }] } }),
        )
    };
    let mut known = known();
    assert_eq!(
        reasons(&plan(&volume("11Gi"), &known)).len(),
        1,
        "the default is closed"
    );
    known.classes.get_mut("files").unwrap().max_size = Some("100Gi".into());
    let made = plan(&volume("50Gi"), &known);
    assert_eq!(made.problems, []);
    let mut known = after(known, &made, true);
    assert_eq!(
        reasons(&plan(&volume("49Gi"), &known)),
        [("ImmutableField", "spec.storage.volumes[0].size")]
    );
    known.classes.get_mut("files").unwrap().max_size = Some("20Gi".into());
    assert_eq!(plan(&volume("50Gi"), &known).problems, [], "what exists stays");
    let refused = plan(&volume("60Gi"), &known);
    let hint = refused.problems[0].hint.clone().unwrap();
    assert!(
        hint.contains("platform team to raise maxSize of ClaimClass files"),
        "{hint}"
    );
}

#[test]
fn a_class_without_a_quota_has_the_default_one() {
    let mut known = known();
    for number in 0..8 {
        let spec = ClaimBindingSpec {
            application: "other".into(),
            class: "pg".into(),
            ..ClaimBindingSpec::default()
        };
        known
            .bindings
            .insert(format!("other-{number}"), KnownBinding { spec, phase: None });
    }
    let refused = plan(&request(orders()), &known);
    assert_eq!(reasons(&refused), [("QuotaExceeded", "spec.databases[0]")]);
    assert!(
        refused.problems[0].message.contains("may have 8"),
        "{:?}",
        refused.problems
    );
}

#[test]
fn an_unreadable_class_is_not_a_missing_one() {
    assert_eq!(unusable_class("pg", None).reason, "ClassMissing");
    let problem = unusable_class("pg", Some("spec.quota.perNamespace: invalid type"));
    assert_eq!(problem.reason, "ClassUnreadable");
    assert!(
        problem
            .message
            .starts_with("ClaimClass pg cannot be read: spec.quota"),
        "{problem}"
    );
}
