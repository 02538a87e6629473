//! Job: the migration, one run for each image.

use idp_core::{Child, labels};
use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::Container,
};

use super::{binding, pod};
use crate::{kinds, validate::Validated};

/// The Job for the current image. An existing Job is held: its pod template is immutable, so a later change of, for
/// example, a variable must not reach it. It is not deleted automatically either, because it proves that the
/// migration has run. With a new image, the plan has a different Job, and the old one is pruned.
pub(super) fn children(app: &Validated) -> Vec<Child> {
    let Some(migration) = &app.migration else {
        return Vec::new();
    };
    let container = Container {
        command: Some(migration.spec.command.clone()),
        ..pod::container(app)
    };
    let job = Job {
        spec: Some(run(
            app,
            labels::MIGRATION,
            container,
            migration.spec.retries.unwrap_or(3),
            migration.spec.timeout_seconds.unwrap_or(600),
        )),
        ..Job::default()
    };
    let child = Child::typed(kinds::JOB, &app.child_meta(&migration.job), &job);
    vec![match binding::awaited(app) {
        _ if migration.exists => child.held("runs once an image, and is kept as it ran"),
        Some(because) => child.held(because),
        None => child,
    }]
}

/// The spec of a Job that runs a container to completion.
pub(super) fn run(
    app: &Validated,
    component: &str,
    container: Container,
    retries: i32,
    seconds: i64,
) -> JobSpec {
    let mut template = pod::template(app, component, container);
    if let Some(spec) = &mut template.spec {
        // Each retry has its own pod, so that the logs of failed ones remain available.
        spec.restart_policy = Some("Never".to_owned());
    }
    JobSpec {
        backoff_limit: Some(retries),
        active_deadline_seconds: Some(seconds),
        template,
        ..JobSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use idp_api::web_application::Migration;
    use idp_core::Step;

    use super::*;
    use crate::{
        plan::fixture::{app, only_spec},
        validate::ValidMigration,
    };

    #[test]
    fn it_runs_once() {
        let mut app = app();
        let spec = Migration {
            command: vec!["migrate".into()],
            ..Migration::default()
        };
        let job = "shop-migrate-1".to_owned();
        app.migration = Some(ValidMigration {
            spec,
            job,
            exists: false,
            done: false,
            failure: None,
        });
        assert_eq!(children(&app)[0].step, Step::Apply);
        app.migration.as_mut().unwrap().exists = true;
        assert!(matches!(children(&app)[0].step, Step::Hold { .. }));
    }

    #[test]
    fn its_pods_get_no_requests() {
        let mut app = app();
        let job = "shop-migrate-1".to_owned();
        app.migration = Some(ValidMigration {
            spec: Migration::default(),
            job,
            exists: false,
            done: false,
            failure: None,
        });
        let children = children(&app);
        let labels = &only_spec(&children)["template"]["metadata"]["labels"];
        assert!(
            app.selector
                .iter()
                .any(|(key, value)| labels[key] != value.as_str())
        );
        assert_eq!(labels["idp.dev/application"], "shop");
    }
}
