//! Deployment: the pods that serve requests.

use idp_api::web_application::Spread;
use idp_core::{Child, labels};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            Container, ContainerPort, Lifecycle, LifecycleHandler, PodTemplateSpec, SleepAction,
            TopologySpreadConstraint,
        },
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{
    binding,
    pod::{self, list},
    probes::probe,
};
use crate::{
    kinds,
    validate::{Scale, ValidMigration, Validated},
};

/// Default termination grace period in seconds: Kubernetes' default, set explicitly because the pause before the stop
/// is part of it.
const GRACE_SECONDS: i64 = 30;
/// Seconds between a pod's removal from the endpoints and its stop, so that all proxies receive the removal first.
const PAUSE_SECONDS: i64 = 5;

pub(super) fn children(app: &Validated) -> Vec<Child> {
    let deployment = Deployment {
        spec: Some(spec(app)),
        ..Deployment::default()
    };
    let mut child = Child::typed(kinds::DEPLOYMENT, &app.child_meta(&app.name), &deployment);
    if let (Scale::Auto { .. }, Some(pods)) = (&app.scale, app.current_replicas) {
        child = child.yielding("/spec/replicas", pods.into());
    }
    let unfinished = app.migration.as_ref().filter(|migration| !migration.done);
    let because = binding::awaited(app).or_else(|| unfinished.map(|migration| reason(migration, &app.image)));
    vec![match because {
        None => child,
        Some(because) => child.held(because),
    }]
}

fn reason(migration: &ValidMigration, image: &str) -> String {
    let failed = if migration.failure.is_some() {
        ", which failed"
    } else {
        ""
    };
    format!("waits for migration {} of image {image}{failed}", migration.job)
}

fn spec(app: &Validated) -> DeploymentSpec {
    DeploymentSpec {
        // Without a fixed number the autoscaler owns the field: a field that is not applied stays unchanged.
        replicas: match app.scale {
            Scale::Fixed(replicas) => Some(replicas),
            Scale::Auto { .. } => None,
        },
        selector: selector(app),
        strategy: Some(DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: app.rollout.max_surge.clone(),
                max_unavailable: app.rollout.max_unavailable.clone(),
            }),
        }),
        progress_deadline_seconds: Some(app.rollout.progress_deadline_seconds.unwrap_or(600)),
        // Git has the older versions; three are enough for a quick `kubectl rollout undo`.
        revision_history_limit: Some(3),
        template: template(app),
        ..DeploymentSpec::default()
    }
}

fn selector(app: &Validated) -> LabelSelector {
    LabelSelector {
        match_labels: Some(app.selector.clone()),
        match_expressions: None,
    }
}

fn template(app: &Validated) -> PodTemplateSpec {
    let grace = app.health.termination_grace_seconds.unwrap_or(GRACE_SECONDS);
    let container = Container {
        command: list(app.command.clone()),
        args: list(app.args.clone()),
        ports: Some(app.ports.iter().map(port).collect()),
        readiness_probe: probe(app, app.health.readiness.as_ref()),
        liveness_probe: probe(app, app.health.liveness.as_ref()),
        startup_probe: probe(app, app.health.startup.as_ref()),
        lifecycle: pause(grace),
        ..pod::container(app)
    };
    let mut template = pod::template(app, labels::WEB, container);
    if let (Some(version), Some(metadata)) = (binding::version(app), &mut template.metadata) {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(labels::BINDINGS_VERSION.to_owned(), version);
    }
    if let Some(spec) = &mut template.spec {
        spec.termination_grace_period_seconds = Some(grace);
        spec.topology_spread_constraints = spread(app);
    }
    template
}

fn port(port: &crate::validate::ValidPort) -> ContainerPort {
    ContainerPort {
        name: Some(port.name.clone()),
        container_port: port.port,
        // Required: part of the list's key in server-side apply.
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// A pod is stopped at the same moment as its removal from the endpoints is published. Without a pause, some requests
/// would still arrive after its process has ended. If the grace period is short, the process gets all of it.
fn pause(grace: i64) -> Option<Lifecycle> {
    let sleep = LifecycleHandler {
        sleep: Some(SleepAction {
            seconds: PAUSE_SECONDS,
        }),
        ..LifecycleHandler::default()
    };
    (grace >= 2 * PAUSE_SECONDS).then(|| Lifecycle {
        pre_stop: Some(sleep),
        ..Lifecycle::default()
    })
}

/// Spread constraints. They are preferences: a pod in a bad place is better than none.
fn spread(app: &Validated) -> Option<Vec<TopologySpreadConstraint>> {
    let over: &[&str] = match app.placement.spread {
        Spread::Zones => &["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
        Spread::Nodes => &["kubernetes.io/hostname"],
        Spread::None => &[],
    };
    list(over.iter().map(|topology| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: (*topology).to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(selector(app)),
        // Each version is spread separately: the old pods, which are about to stop, do not count.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }))
}

#[cfg(test)]
mod tests {
    use idp_api::web_application::{Autoscaling, EnvVar, Migration};
    use idp_core::Step;
    use serde_json::json;

    use super::*;
    use crate::plan::fixture::{app, only_spec};

    #[test]
    fn the_autoscaler_owns_the_number_of_pods() {
        let mut app = app();
        assert_eq!(only_spec(&children(&app))["replicas"], 2);
        app.scale = Scale::Auto {
            min: 2,
            max: 4,
            metrics: Autoscaling::default(),
        };
        assert!(only_spec(&children(&app)).get("replicas").is_none());
    }

    #[test]
    fn it_waits_for_the_migration() {
        let mut app = app();
        app.migration = Some(ValidMigration {
            spec: Migration::default(),
            job: "shop-migrate-1".into(),
            exists: true,
            done: false,
            failure: None,
        });
        let because = "waits for migration shop-migrate-1 of image registry.example.com/shop:1".to_owned();
        assert_eq!(children(&app)[0].step, Step::Hold { because });
        app.migration.as_mut().unwrap().done = true;
        assert_eq!(children(&app)[0].step, Step::Apply);
    }

    #[test]
    fn the_pause_leaves_time_to_stop() {
        assert!(pause(9).is_none());
        assert!(pause(10).is_some());
    }

    #[test]
    fn variables_of_the_application_win() {
        let mut app = app();
        app.env = vec![EnvVar {
            name: "PORT".into(),
            value: Some("1".into()),
            from_field: None,
        }];
        let children = children(&app);
        let env = only_spec(&children)["template"]["spec"]["containers"][0]["env"]
            .as_array()
            .unwrap();
        let ports: Vec<_> = env.iter().filter(|var| var["name"] == "PORT").collect();
        assert_eq!(ports, [&json!({"name": "PORT", "value": "1"})]);
    }

    #[test]
    fn the_selector_finds_the_pods() {
        let children = children(&app());
        let spec = only_spec(&children);
        let labels = &spec["template"]["metadata"]["labels"];
        for (key, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&labels[key], value);
        }
    }
}
