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

/// Longest name: the controller adds eleven characters for each run.
const LONGEST: usize = 52;
/// Seconds after which what is left of a run is deleted. It reaches runs that somebody started by hand too, which the
/// limits on the history do not.
const KEEP_RUNS: i32 = 86_400;
/// Stands where a job without a schedule must have one; it is suspended and never used.
const NEVER_USED: &str = "0 0 1 1 *";

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
        ttl_seconds_after_finished: Some(KEEP_RUNS),
        ..run(app, labels::JOB, container, retries, seconds)
    };
    let spec = CronJobSpec {
        schedule: job.schedule.clone().unwrap_or_else(|| NEVER_USED.to_owned()),
        // Written in both cases, or `kubectl patch` could suspend a job behind the application's back.
        suspend: Some(job.schedule.is_none()),
        // The controller's own time zone is whatever its machine has.
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
            // Runs are found with the rest of the application, but are the CronJob controller's, not ours.
            metadata: Some(ObjectMeta {
                labels: Some(labels::every_pod(&app.name)),
                ..ObjectMeta::default()
            }),
            spec: Some(run),
        },
        ..CronJobSpec::default()
    };
    let name = hash::bounded_name(&app.name, &job.name, LONGEST);
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
        assert!(names.iter().all(|name| name.len() <= LONGEST));
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
