//! Jobs, objectives, migrations and capabilities.

use serde_json::{Value, json};

use super::{app, check_errors, check_warnings, cluster, extend, valid};
use crate::{facts::MigrationState, observe::Observed, validate::validate};

#[test]
fn jobs_and_objectives() {
    let none = json!({});
    let job = |fields: Value| {
        let mut job = json!({"name": "report", "command": ["report"]});
        extend(&mut job, &fields);
        json!({"jobs": [job]})
    };
    let objective = |fields: Value| {
        let mut objective = json!({"name": "good"});
        extend(&mut objective, &fields);
        json!({"observability": {"objectives": [objective]}})
    };
    let promise = objective(json!({"availability": {"percent": "99.9"}}));
    let path = "spec.observability.objectives";
    check_errors(vec![
        (
            job(json!({"schedule": "* * * * 7"})),
            none.clone(),
            "InvalidSchedule",
            "spec.jobs[0].schedule",
        ),
        (
            job(json!({"timeZone": "Europe/Atlantis"})),
            none.clone(),
            "UnknownTimeZone",
            "spec.jobs[0].timeZone",
        ),
        (
            json!({"jobs": [{"name": "a", "command": ["x"]}, {"name": "a", "command": ["y"]}]}),
            none.clone(),
            "Duplicate",
            "spec.jobs[1].name",
        ),
        (
            json!({"observability": {"metrics": {"port": "x"}}}),
            none.clone(),
            "UnknownPort",
            "spec.observability.metrics.port",
        ),
        (
            objective(json!({})),
            none.clone(),
            "InvalidSpec",
            "spec.observability.objectives[0]",
        ),
        (
            objective(json!({"availability": {"percent": "100"}})),
            none.clone(),
            "InvalidSpec",
            "spec.observability.objectives[0].availability.percent",
        ),
        (
            objective(json!({"latency": {"percent": "99", "milliseconds": 7}})),
            none.clone(),
            "InvalidSpec",
            "spec.observability.objectives[0].latency.milliseconds",
        ),
        (
            json!({"secrets": [{"name": "api"}]}),
            none.clone(),
            "CapabilityMissing",
            "spec.secrets",
        ),
        (
            json!({"databases": [{"name": "db", "engine": "postgres"}]}),
            none.clone(),
            "CapabilityMissing",
            "spec.databases",
        ),
        (
            json!({"storage": {"buckets": [{"name": "media"}]}}),
            none.clone(),
            "CapabilityMissing",
            "spec.storage",
        ),
        (
            json!({"capabilities": {"mail": {}}}),
            none.clone(),
            "CapabilityMissing",
            "spec.capabilities.mail",
        ),
    ]);
    check_warnings(vec![
        (
            promise.clone(),
            json!({"mesh": {"mode": "None"}}),
            "ObjectivesNotMeasured",
            path,
        ),
        (
            promise.clone(),
            json!({"monitoring": {"prometheusOperator": false}}),
            "ObjectivesNotMeasured",
            path,
        ),
    ]);
    assert_eq!(valid(&promise, &none).objectives[0].target.to_string(), "0.999");
    let metrics = json!({"observability": {"metrics": {}}});
    assert!(valid(&metrics, &none).metrics.is_some());
    assert!(
        valid(&metrics, &json!({"monitoring": {"prometheusOperator": false}}))
            .metrics
            .is_none()
    );
}

#[test]
fn a_migration_is_done_once_an_image() {
    let spec = json!({"migration": {"command": ["migrate"]}});
    let mut observed = cluster(&json!({}));
    let now = |observed: &Observed| validate(&app(&spec), observed).unwrap();
    let before = now(&observed).migration.unwrap();
    assert_eq!((before.exists, before.done), (false, false));
    assert!(before.job.starts_with("shop-migrate-"));

    observed.migrations = [(before.job.clone(), MigrationState::Running)].into();
    let running = now(&observed).migration.unwrap();
    assert_eq!((running.exists, running.done), (true, false));

    observed.migrations = [(before.job.clone(), MigrationState::Succeeded)].into();
    assert!(now(&observed).migration.unwrap().done);

    observed.migrations = [(before.job.clone(), MigrationState::Failed("no table".into()))].into();
    let failed = now(&observed);
    assert_eq!(failed.warnings[0].reason, "MigrationFailed");
    assert!(failed.warnings[0].is_error());
    assert!(failed.warnings[0].message.contains("no table"));
    assert!(!failed.migration.unwrap().done);

    let mut next = spec.clone();
    extend(&mut next, &json!({"image": "registry.example.com/shop:2"}));
    let next = validate(&app(&next), &observed).unwrap();
    assert_ne!(next.migration.as_ref().unwrap().job, before.job);
    assert!(next.warnings.is_empty());
}
