//! Cron expressions, read exactly as the CronJob controller reads them.
//!
//! It uses robfig/cron, whose dialect none of the Rust crates speaks: they take seconds, Sunday as 7, or Quartz's
//! `L`, `W` and `#`, all of which the API server refuses. The dialect is small, so its rules are here.

/// The expressions that stand for five fields.
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

/// Says what is wrong with the expression.
pub(super) fn check(expression: &str) -> Result<(), String> {
    if expression.starts_with('@') {
        let known = DESCRIPTORS.contains(&expression);
        return if known {
            Ok(())
        } else {
            Err(format!("{expression} is none of {}", DESCRIPTORS.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_the_cron_job_controller_takes() {
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
    fn what_it_refuses() {
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
