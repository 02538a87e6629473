//! Limits of an application: numbers, sizes and times that the schema limits loosely or not at all, against the limits of
//! the Environment. All limits: docs/architecture/0016-powers-of-the-environment.md.

use std::time::Duration;

use idp_api::{
    EnvironmentSpec, WebApplicationSpec,
    environment::JobLimits,
    web_application::{ConcurrencyPolicy, Job},
};
use idp_core::{Problem, duration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{cron, findings::Findings, thousandths};
use crate::{reasons, validate::ValidResources};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Default timeout of a job's run, in seconds.
pub(crate) const RUN_SECONDS: i64 = 3600;

/// Checks durations: against limits of every Environment, and against those of this one.
pub(super) fn times(
    spec: &WebApplicationSpec,
    environment: &EnvironmentSpec,
    name: &str,
    findings: &mut Findings,
) {
    for (index, route) in spec.routes.iter().enumerate() {
        let path = format!("spec.routes[{index}]");
        let retries = route.retries.as_ref();
        let cors = route.cors.as_ref();
        for (field, written, most) in [
            ("timeout", route.timeout.as_ref(), HOUR),
            (
                "retries.perTryTimeout",
                retries.and_then(|r| r.per_try_timeout.as_ref()),
                HOUR,
            ),
            ("cors.maxAge", cors.and_then(|c| c.max_age.as_ref()), WEEK),
        ] {
            if let Some(written) = written {
                within(written, &format!("{path}.{field}"), MILLISECOND, most, findings);
            }
        }
    }
    let metrics = spec.observability.as_ref().and_then(|o| o.metrics.as_ref());
    if let Some(interval) = metrics.and_then(|metrics| metrics.interval.as_ref()) {
        let least = &environment.limits.metrics.least_interval;
        let path = "spec.observability.metrics.interval";
        at_least(interval, least, name, path, findings);
    }
    for (index, secret) in spec.secrets.iter().enumerate() {
        // The secrets capability checks the minimum.
        if let Some(interval) = &secret.refresh_interval {
            let path = format!("spec.secrets[{index}].refreshInterval");
            within(interval, &path, MILLISECOND, WEEK, findings);
        }
    }
}

/// Checks a duration of at most a week, and at least the Environment's minimum.
fn at_least(written: &str, least: &str, environment: &str, path: &str, findings: &mut Findings) {
    let Some(time) = parsed(written, path, findings) else {
        return;
    };
    if time > WEEK {
        findings.add(too_long(written, "7 days").at(path));
    }
    if duration::parse(least).is_some_and(|least| time < least) {
        findings.add(
            Problem::error(
                reasons::LIMIT_EXCEEDED,
                format!("{written} is below the Environment's minimum interval of {least}."),
            )
            .at(path)
            .hint(format!(
                "Use {least} or more, or ask the platform team to lower limits.metrics.leastInterval in Environment {environment}."
            )),
        );
    }
}

/// Checks a duration between two limits. Zero means "none", for Istio and for browsers.
fn within(written: &str, path: &str, least: Duration, most: Duration, findings: &mut Findings) {
    let Some(time) = parsed(written, path, findings) else {
        return;
    };
    if time > most {
        let most = if most == HOUR { "1h" } else { "7 days" };
        findings.add(too_long(written, most).at(path));
    }
    if time < least && !time.is_zero() {
        let message = format!("{written} is less than a millisecond.");
        findings.add(
            Problem::error(reasons::LIMIT_EXCEEDED, message)
                .at(path)
                .hint("Use 1ms or more."),
        );
    }
}

fn parsed(written: &str, path: &str, findings: &mut Findings) -> Option<Duration> {
    // Go reads "0" and smaller units too. The schema does not accept them, and `render` must agree with it.
    let time = duration::parse(written).filter(|_| written != "0" && !written.contains(['u', 'µ', 'μ', 'n']));
    if time.is_none() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, format!("{written:?} is not a duration."))
                .at(path)
                .hint("Use a duration such as 500ms, 15s, 5m or 1h."),
        );
    }
    time
}

fn too_long(written: &str, most: &str) -> Problem {
    Problem::error(
        reasons::LIMIT_EXCEEDED,
        format!("{written} is above the maximum of {most}."),
    )
    .hint(format!(
        "Use {most} or less. No Environment can raise this limit."
    ))
}

/// Maximum resources of one pod: the Environment's limit, or else the largest of its sizes.
pub(super) fn max_resources(environment: &EnvironmentSpec) -> ValidResources {
    let limits = &environment.limits.pod;
    let sizes = || environment.sizes.values();
    let cpu = largest(limits.cpu.as_ref(), sizes().map(|size| &size.cpu));
    let limits_of_sizes = sizes().filter_map(|size| size.cpu_limit.as_ref());
    ValidResources {
        cpu_limit: largest(None, limits_of_sizes.chain(&cpu)),
        memory: largest(limits.memory.as_ref(), sizes().map(|size| &size.memory)).unwrap_or_default(),
        cpu: cpu.unwrap_or_default(),
    }
}

/// Checks the resources of one pod.
pub(super) fn pod(resources: &ValidResources, most: &ValidResources, name: &str, findings: &mut Findings) {
    for (field, wanted, most) in [
        ("cpu", Some(&resources.cpu), Some(&most.cpu)),
        ("memory", Some(&resources.memory), Some(&most.memory)),
        ("cpuLimit", resources.cpu_limit.as_ref(), most.cpu_limit.as_ref()),
    ] {
        let (Some(wanted), Some(most)) = (wanted, most) else {
            continue;
        };
        if thousandths(&wanted.0) > thousandths(&most.0) {
            findings.add(
                Problem::error(
                    reasons::LIMIT_EXCEEDED,
                    format!(
                        "{} is above the Environment's limit of {} per pod.",
                        wanted.0, most.0
                    ),
                )
                .at(format!("spec.resources.{field}"))
                .hint(format!(
                    "Use {} or less, or ask the platform team to raise limits.pod in Environment {name}.",
                    most.0
                )),
            );
        }
    }
}

fn largest<'a>(limit: Option<&'a Quantity>, sizes: impl Iterator<Item = &'a Quantity>) -> Option<Quantity> {
    limit
        .or_else(|| sizes.max_by_key(|size| thousandths(&size.0)))
        .cloned()
}

/// Checks how often jobs run, and how many of their pods run at the same time.
pub(super) fn jobs(written: &[Job], limits: &JobLimits, environment: &str, findings: &mut Findings) {
    let least = duration::parse(&limits.least_interval).unwrap_or(HOUR);
    let mut pods = 0_i64;
    for (index, job) in written.iter().enumerate() {
        // A job without a schedule is started by hand.
        let Some(gap) = job.schedule.as_deref().and_then(cron::shortest_gap) else {
            continue;
        };
        pods = pods.saturating_add(at_once(job, gap));
        if gap < least {
            let written = &limits.least_interval;
            findings.add(
                Problem::error(
                    reasons::LIMIT_EXCEEDED,
                    format!("Job {} runs more often than the Environment's minimum interval of {written}.", job.name),
                )
                .at(format!("spec.jobs[{index}].schedule"))
                .hint(format!(
                    "Use a schedule with at least {written} between two runs, or ask the platform team to lower limits.jobs.leastInterval in Environment {environment}."
                )),
            );
        }
    }
    let most = limits.parallel_pods;
    if pods > i64::from(most) {
        findings.add(
            Problem::error(
                reasons::LIMIT_EXCEEDED,
                format!("{pods} pods of jobs could run at the same time. The Environment's limit is {most}."),
            )
            .at("spec.jobs")
            .hint(format!(
                "Lower timeoutSeconds or set concurrency: Forbid where runs may overlap, or ask the platform team to raise limits.jobs.parallelPods in Environment {environment}."
            )),
        );
    }
}

/// Maximum pods of a schedule at the same time: each run has one pod, and ends at its timeout.
fn at_once(job: &Job, gap: Duration) -> i64 {
    if job.concurrency != ConcurrencyPolicy::Allow {
        return 1;
    }
    let seconds = job.timeout_seconds.unwrap_or(RUN_SECONDS).max(1);
    let gap = i64::try_from(gap.as_secs()).unwrap_or(i64::MAX).max(1);
    seconds.saturating_add(gap - 1) / gap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_overlap_are_counted() {
        let job = |concurrency, timeout| Job {
            concurrency,
            timeout_seconds: timeout,
            ..Job::default()
        };
        let minute = Duration::from_secs(60);
        for (concurrency, timeout, expected) in [
            (ConcurrencyPolicy::Forbid, Some(604_800), 1),
            (ConcurrencyPolicy::Replace, Some(604_800), 1),
            (ConcurrencyPolicy::Allow, Some(60), 1),
            (ConcurrencyPolicy::Allow, Some(61), 2),
            (ConcurrencyPolicy::Allow, None, 60),
            (ConcurrencyPolicy::Allow, Some(604_800), 10_080),
            (ConcurrencyPolicy::Allow, Some(i64::MAX), i64::MAX / 60),
        ] {
            assert_eq!(
                at_once(&job(concurrency, timeout), minute),
                expected,
                "{timeout:?}"
            );
        }
    }
}
