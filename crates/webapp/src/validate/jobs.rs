//! Jobs.

use idp_api::web_application::Job;
use idp_core::Problem;
use jiff::tz::TimeZoneDatabase;

use super::{cron, findings::Findings};
use crate::reasons;

/// The jobs, as written.
pub(super) fn jobs(written: &[Job], findings: &mut Findings) -> Vec<Job> {
    findings.unique(
        written.iter().map(|job| &job.name),
        |i| format!("spec.jobs[{i}].name"),
        "job",
    );
    for (index, job) in written.iter().enumerate() {
        if let Some(schedule) = &job.schedule
            && let Err(why) = cron::check(schedule)
        {
            findings.add(
                Problem::error(
                    reasons::INVALID_SCHEDULE,
                    format!("{schedule:?} is not a cron expression: {why}."),
                )
                .at(format!("spec.jobs[{index}].schedule"))
                .hint("Write minute, hour, day of the month, month and day of the week, such as \"30 4 * * MON-FRI\", or @daily."),
            );
        }
        if let Some(zone) = job.time_zone.as_ref().filter(|zone| !is_time_zone(zone)) {
            findings.add(
                Problem::error(reasons::UNKNOWN_TIME_ZONE, format!("Unknown time zone {zone}."))
                    .at(format!("spec.jobs[{index}].timeZone")),
            );
        }
    }
    written.to_vec()
}

/// Whether the time zone database has the zone. The database is compiled in, so that the result does not depend on the
/// machine. Names are case-sensitive, as for the CronJob controller, which opens them as files.
fn is_time_zone(name: &str) -> bool {
    TimeZoneDatabase::bundled()
        .get(name)
        .is_ok_and(|zone| zone.iana_name() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::is_time_zone;

    #[test]
    fn time_zones_are_known_by_their_exact_name() {
        for (name, known) in [
            ("UTC", true),
            ("Etc/UTC", true),
            ("Europe/Berlin", true),
            ("US/Pacific", true),
            ("europe/berlin", false),
            ("Local", false),
            ("Europe/Atlantis", false),
        ] {
            assert_eq!(is_time_zone(name), known, "{name}");
        }
    }
}
