//! How much an application may take: numbers, sizes and times that the schema bounds loosely or not at all, against what
//! the Environment says. The whole list of bounds: docs/architecture/0016-powers-of-the-environment.md.

use std::time::Duration;

use idp_api::{
    EnvironmentSpec, WebApplicationSpec,
    environment::JobLimits,
    web_application::{ConcurrencyPolicy, Job},
};
use idp_core::Problem;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{cron, duration::duration, findings::Findings, thousandths};
use crate::{reasons, validate::ValidResources};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Seconds for a run of a job where nothing is said.
pub(crate) const RUN_SECONDS: i64 = 3600;

/// Times that every Environment bounds alike, and those that it bounds itself.
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
        // The least is for the secrets capability to say, which asks.
        if let Some(interval) = &secret.refresh_interval {
            let path = format!("spec.secrets[{index}].refreshInterval");
            within(interval, &path, MILLISECOND, WEEK, findings);
        }
    }
}

/// A time that is no more than a week, and no less than the Environment's.
fn at_least(written: &str, least: &str, environment: &str, path: &str, findings: &mut Findings) {
    let Some(time) = parsed(written, path, findings) else {
        return;
    };
    if time > WEEK {
        findings.add(too_long(written, "7 days").at(path));
    }
    if duration(least).is_some_and(|least| time < least) {
        findings.add(
            Problem::error(
                reasons::LIMIT_EXCEEDED,
                format!("{written} is less than {least}, the least interval in this cluster"),
            )
            .at(path)
            .hint(format!(
                "write {least} or more, or ask the platform team for another limits.metrics.leastInterval in Environment {environment}"
            )),
        );
    }
}

/// A time between two bounds; zero is "none", which both Istio and browsers understand.
fn within(written: &str, path: &str, least: Duration, most: Duration, findings: &mut Findings) {
    let Some(time) = parsed(written, path, findings) else {
        return;
    };
    if time > most {
        let most = if most == HOUR { "1h" } else { "7 days" };
        findings.add(too_long(written, most).at(path));
    }
    if time < least && !time.is_zero() {
        let message = format!("{written} is less than a millisecond");
        findings.add(
            Problem::error(reasons::LIMIT_EXCEEDED, message)
                .at(path)
                .hint("write 1ms or more"),
        );
    }
}

fn parsed(written: &str, path: &str, findings: &mut Findings) -> Option<Duration> {
    let time = duration(written);
    if time.is_none() {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, format!("{written:?} is not a duration"))
                .at(path)
                .hint("write a duration such as 500ms, 15s, 5m or 1h"),
        );
    }
    time
}

fn too_long(written: &str, most: &str) -> Problem {
    Problem::error(
        reasons::LIMIT_EXCEEDED,
        format!("{written} is more than {most}, the longest that is taken"),
    )
    .hint(format!("write {most} or less; nobody can allow more"))
}

/// Most that one pod may ask for: what is said, or else the largest of the sizes.
pub(super) fn most(environment: &EnvironmentSpec) -> ValidResources {
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

/// What one pod asks for.
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
                        "{} is more than {}, the most of one pod in this cluster",
                        wanted.0, most.0
                    ),
                )
                .at(format!("spec.resources.{field}"))
                .hint(format!(
                    "write {} or less, or ask the platform team for another limits.pod in Environment {name}",
                    most.0
                )),
            );
        }
    }
}

fn largest<'a>(said: Option<&'a Quantity>, sizes: impl Iterator<Item = &'a Quantity>) -> Option<Quantity> {
    said.or_else(|| sizes.max_by_key(|size| thousandths(&size.0)))
        .cloned()
}

/// How often jobs run, and how many of their pods at the same time.
pub(super) fn jobs(written: &[Job], limits: &JobLimits, environment: &str, findings: &mut Findings) {
    let least = duration(&limits.least_interval).unwrap_or(HOUR);
    let mut pods = 0_i64;
    for (index, job) in written.iter().enumerate() {
        // One that somebody starts by hand runs as often as he may make Jobs anyway.
        let Some(gap) = job.schedule.as_deref().and_then(cron::shortest_gap) else {
            continue;
        };
        pods = pods.saturating_add(at_once(job, gap));
        if gap < least {
            let written = &limits.least_interval;
            findings.add(
                Problem::error(
                    reasons::LIMIT_EXCEEDED,
                    format!("job {} runs more often than every {written}, the least interval in this cluster", job.name),
                )
                .at(format!("spec.jobs[{index}].schedule"))
                .hint(format!(
                    "write a schedule that leaves {written} between two runs, or ask the platform team for another limits.jobs.leastInterval in Environment {environment}"
                )),
            );
        }
    }
    let most = limits.parallel_pods;
    if pods > i64::from(most) {
        findings.add(
            Problem::error(
                reasons::LIMIT_EXCEEDED,
                format!("{pods} pods of jobs could run at the same time; {most} are the most in this cluster"),
            )
            .at("spec.jobs")
            .hint(format!(
                "lower timeoutSeconds, or write concurrency Forbid, where runs may overlap; or ask the platform team for another limits.jobs.parallelPods in Environment {environment}"
            )),
        );
    }
}

/// Most pods of a schedule at the same time: each run has one, and ends with its timeout.
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
