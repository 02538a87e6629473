//! CronJobs.

use idp_api::web_application::{ConcurrencyPolicy, Job};
use idp_core::{Child, hash, labels};
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec},
        core::v1::Container,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{binding, migration::run, pod};
use crate::{
    kinds,
    validate::{RUN_SECONDS, Validated},
};

/// Maximum length of a name: the CronJob controller appends eleven characters for each run.
const MAX_NAME_CHARS: usize = 52;
/// Seconds after which the Job of a finished run is deleted. This includes runs that were started manually, which the
/// history limits do not cover.
const KEEP_RUNS_SECONDS: i32 = 86_400;
/// Required placeholder for a job without a schedule: the CronJob is suspended, so it never applies.
const UNUSED_SCHEDULE: &str = "0 0 1 1 *";

pub(super) fn children(app: &Validated) -> Vec<Child> {
    app.jobs.iter().map(|job| child(app, job)).collect()
}

fn child(app: &Validated, job: &Job) -> Child {
    let container = Container {
        command: Some(job.command.clone()),
        ..pod::container(app)
    };
    let retries = job.retries.unwrap_or(1);
    let seconds = job.timeout_seconds.unwrap_or(RUN_SECONDS);
    let run = JobSpec {
        ttl_seconds_after_finished: Some(KEEP_RUNS_SECONDS),
        ..run(app, labels::JOB, container, retries, seconds)
    };
    let spec = CronJobSpec {
        schedule: job.schedule.clone().unwrap_or_else(|| UNUSED_SCHEDULE.to_owned()),
        // Set in both cases: otherwise another writer could suspend the job unnoticed.
        suspend: Some(job.schedule.is_none()),
        // The default is the time zone of the CronJob controller's machine.
        time_zone: Some(job.time_zone.clone().unwrap_or_else(|| "Etc/UTC".to_owned())),
        concurrency_policy: Some(
            match job.concurrency {
                ConcurrencyPolicy::Forbid => "Forbid",
                ConcurrencyPolicy::Allow => "Allow",
                ConcurrencyPolicy::Replace => "Replace",
            }
            .to_owned(),
        ),
        successful_jobs_history_limit: Some(3),
        failed_jobs_history_limit: Some(1),
        job_template: JobTemplateSpec {
            // Runs have the application's labels, but the CronJob controller owns them.
            metadata: Some(ObjectMeta {
                labels: Some(labels::every_pod(&app.name)),
                ..ObjectMeta::default()
            }),
            spec: Some(run),
        },
        ..CronJobSpec::default()
    };
    let name = hash::bounded_name(&app.name, &job.name, MAX_NAME_CHARS);
    let object = CronJob {
        spec,
        ..CronJob::default()
    };
    let child = Child::typed(kinds::CRON_JOB, &app.child_meta(name), &object);
    match binding::awaited(app) {
        Some(because) => child.held(because),
        None => child,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::app;

    #[test]
    fn names_are_bounded_and_distinct() {
        let mut app = app();
        app.name = "a".repeat(40);
        let job = |name: String| Job {
            name,
            ..Job::default()
        };
        app.jobs = vec![job("b".repeat(40)), job(format!("{}c", "b".repeat(39)))];
        let names: Vec<String> = children(&app).into_iter().map(|child| child.name).collect();
        assert!(names.iter().all(|name| name.len() <= MAX_NAME_CHARS));
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn without_a_schedule_it_waits_to_be_started() {
        let mut app = app();
        app.jobs = vec![Job {
            name: "report".into(),
            ..Job::default()
        }];
        assert_eq!(children(&app)[0].object["spec"]["suspend"], true);
        app.jobs[0].schedule = Some("@daily".into());
        let child = &children(&app)[0];
        assert_eq!(child.object["spec"]["suspend"], false);
        assert_eq!(child.object["spec"]["schedule"], "@daily");
    }
}
