//! Cron expressions, parsed exactly as the CronJob controller parses them.
//!
//! It uses robfig/cron, whose dialect no Rust crate implements: they accept seconds, Sunday as 7, or Quartz's `L`, `W` and
//! `#`, all of which the API server rejects. The dialect is small, so its rules are here.

use std::{collections::BTreeSet, time::Duration};

/// Minutes of a day.
const MINUTES_A_DAY: u32 = 24 * 60;
/// Short names for expressions of five fields.
const DESCRIPTORS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of the values, from `min` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        min: 0,
        max: 59,
        names: &[],
    },
    Field {
        name: "hour",
        min: 0,
        max: 23,
        names: &[],
    },
    Field {
        name: "day of the month",
        min: 1,
        max: 31,
        names: &[],
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &MONTHS,
    },
    Field {
        name: "day of the week",
        min: 0,
        max: 6,
        names: &DAYS,
    },
];

/// Checks the expression. On `Err`, what is wrong with it.
pub(super) fn check(expression: &str) -> Result<(), String> {
    if expression.starts_with('@') {
        let known = DESCRIPTORS.contains(&expression);
        return if known {
            Ok(())
        } else {
            Err(format!("{expression} is not one of {}", DESCRIPTORS.join(", ")))
        };
    }
    let parts: Vec<&str> = expression.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("it has {} fields instead of five", parts.len()));
    }
    let mut fields = FIELDS.iter().zip(parts);
    fields.try_for_each(|(field, text)| text.split(',').try_for_each(|item| field.check(item)))
}

impl Field {
    /// One item: a value, a range or `*`, each perhaps with a step.
    fn check(&self, item: &str) -> Result<(), String> {
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => (range, Some(step)),
        };
        if range != "*" && range != "?" {
            let (low, high) = match range.split_once('-') {
                None => (self.value(range)?, None),
                Some((low, high)) => (self.value(low)?, Some(self.value(high)?)),
            };
            if high.is_some_and(|high| low > high) {
                return Err(format!("the range {range} of the {} runs backwards", self.name));
            }
        }
        match step.map(str::parse::<u32>) {
            None => Ok(()),
            Some(Ok(step)) if step > 0 => Ok(()),
            Some(_) => Err(format!(
                "the step of {item:?} in the {} is not a number above 0",
                self.name
            )),
        }
    }

    /// The values of the field, sorted; `None` if it is invalid.
    fn set(&self, text: &str) -> Option<Vec<u32>> {
        let mut all = BTreeSet::new();
        for item in text.split(',') {
            let (range, step) = item.split_once('/').unwrap_or((item, "1"));
            let step: usize = step.parse().ok().filter(|step| *step > 0)?;
            let (low, high) = match range.split_once('-') {
                _ if range == "*" || range == "?" => (self.min, self.max),
                Some((low, high)) => (self.value(low).ok()?, self.value(high).ok()?),
                None => {
                    let low = self.value(range).ok()?;
                    // A step after one value runs to the end.
                    (low, if item.contains('/') { self.max } else { low })
                }
            };
            all.extend((low..=high).step_by(step));
        }
        Some(all.into_iter().collect())
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => u32::try_from(index).ok().map(|index| index + self.min),
            None => Some(text)
                .filter(|text| text.chars().all(|c| c.is_ascii_digit()))
                .and_then(|t| t.parse().ok()),
        };
        value
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a {} from {} to {}",
                    self.name, self.min, self.max
                )
            })
    }
}

/// Shortest time between two runs; `None` if the expression is invalid. Ignores months and the hour that a time zone skips, so
/// the result can be shorter than the real time, never longer.
pub(super) fn shortest_gap(expression: &str) -> Option<Duration> {
    check(expression).ok()?;
    let fields = match expression {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        fields => fields,
    };
    let mut sets = FIELDS
        .iter()
        .zip(fields.split_whitespace())
        .map(|(field, text)| field.set(text));
    let (minutes, hours, days) = (sets.next()??, sets.next()??, sets.next()??);
    let weekdays = sets.nth(1)??;
    let mut times = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| hour * 60 + minute));
    let first = times.next()?;
    let (mut last, mut gap) = (first, u32::MAX);
    for time in times {
        gap = gap.min(time - last);
        last = time;
    }
    let overnight = (days_apart(&days, &weekdays) - 1) * MINUTES_A_DAY + MINUTES_A_DAY + first - last;
    Some(Duration::from_secs(u64::from(gap.min(overnight)) * 60))
}

/// Fewest days between two days on which it runs. Where both are restricted, either of them is enough.
fn days_apart(days: &[u32], weekdays: &[u32]) -> u32 {
    match (days.len() < 31, weekdays.len() < 7) {
        (false, false) | (true, true) => 1,
        (false, true) => cyclic_gap(weekdays, 7),
        // The shortest month that has the last of the days.
        (true, false) => cyclic_gap(days, days.last().copied().unwrap_or(0).max(28)),
    }
}

fn cyclic_gap(sorted: &[u32], length: u32) -> u32 {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return 1;
    };
    let within = sorted.windows(2).map(|pair| pair[1] - pair[0]);
    within.chain([first + length - last]).min().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{check, shortest_gap};

    #[test]
    fn how_often_it_runs_at_most() {
        for (expression, minutes) in [
            ("* * * * *", 1),
            ("*/5 * * * *", 5),
            // 0, 7, … 56, and 0 again.
            ("*/7 * * * *", 4),
            ("0,1 * * * *", 1),
            ("5/15 * * * *", 15),
            ("@hourly", 60),
            ("0 4 * * *", 1440),
            ("@daily", 1440),
            ("59 23 * * *", 1440),
            ("0,59 0,23 * * *", 1),
            ("@weekly", 7 * 1440),
            ("0 6 * * MON,WED", 2 * 1440),
            ("0 6 * * 1-5", 1440),
            ("@monthly", 28 * 1440),
            ("0 0 1,31 * *", 1440),
            // Either is enough.
            ("0 0 1 * 1", 1440),
            ("0 6,18 1 * *", 720),
            ("? ? ? * ?", 1),
        ] {
            assert_eq!(
                shortest_gap(expression),
                Some(Duration::from_secs(minutes * 60)),
                "{expression}"
            );
        }
        assert_eq!(shortest_gap("every minute"), None);
    }

    #[test]
    fn what_the_cron_job_controller_accepts() {
        for good in [
            "* * * * *",
            "*/5 * * * *",
            "0 4 * * *",
            "0 0 1 1 *",
            "0,30 8-18/2 ? * MON-FRI",
            "5/15 0 1-15 jan,JUL sun",
            "@daily",
            "@yearly",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_it_rejects() {
        for (bad, why) in [
            ("* * * *", "4 fields"),
            ("0 * * * * *", "6 fields"),
            ("60 * * * *", "\"60\" is not a minute from 0 to 59"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of the month"),
            ("* * * 13 *", "month"),
            ("* * * * 7", "day of the week from 0 to 6"),
            ("* * L * *", "\"L\""),
            ("* * * * MON#2", "MON#2"),
            ("*/0 * * * *", "step"),
            ("*/x * * * *", "step"),
            ("5-1 * * * *", "runs backwards"),
            ("1-2-3 * * * *", "\"2-3\""),
            ("1,,2 * * * *", "\"\""),
            ("+1 * * * *", "\"+1\""),
            ("@every 5m", "@every 5m"),
            ("@reboot", "@reboot"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
