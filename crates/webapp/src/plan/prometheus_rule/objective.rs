//! An objective as recording rules and burn-rate alerts.
//!
//! The alerts are those of Google's "The Site Reliability Workbook", chapter 5 ("Alerting on SLOs"), section 6
//! ("Multiwindow, Multi-Burn-Rate Alerts"): an alert fires if a share of the error budget is used up within a long
//! window, and resolves soon after the errors end, because of a short window, a twelfth of the long one.

use serde_json::{Value, json};

use super::{first_step, recorded};
use crate::{
    plan::telemetry,
    validate::{ValidObjective, Validated},
};

/// A time window for counting errors, in Prometheus's notation and in hours.
#[derive(Clone, Copy)]
struct Range(&'static str, f64);

const FIVE_MINUTES: Range = Range("5m", 5.0 / 60.0);
const HALF_AN_HOUR: Range = Range("30m", 0.5);
const HOUR: Range = Range("1h", 1.0);
const TWO_HOURS: Range = Range("2h", 2.0);
const SIX_HOURS: Range = Range("6h", 6.0);
const DAY: Range = Range("1d", 24.0);
const THREE_DAYS: Range = Range("3d", 72.0);

/// When to alert: this share of the budget is used up in the long window, and errors continue in the short one.
struct Burn {
    severity: &'static str,
    budget: f64,
    long: Range,
    short: Range,
}

const BURNS: [Burn; 4] = [
    Burn {
        severity: "page",
        budget: 0.02,
        long: HOUR,
        short: FIVE_MINUTES,
    },
    Burn {
        severity: "page",
        budget: 0.05,
        long: SIX_HOURS,
        short: HALF_AN_HOUR,
    },
    Burn {
        severity: "ticket",
        budget: 0.10,
        long: DAY,
        short: TWO_HOURS,
    },
    Burn {
        severity: "ticket",
        budget: 0.10,
        long: THREE_DAYS,
        short: SIX_HOURS,
    },
];

impl Burn {
    /// How many times faster than allowed the budget burns when its share is used up in the long window. Over 30
    /// days: 14.4, 6, 3 and 1, the workbook's numbers. For a shorter objective the same share is a slower burn, and
    /// below 1 it would never use up the budget: 1 is the minimum.
    fn factor(&self, window_days: i32) -> f64 {
        (self.budget * hours(window_days) / self.long.1).max(1.0)
    }

    /// Whether the long window is within the objective's own.
    fn applies(&self, window_days: i32) -> bool {
        self.long.1 <= hours(window_days)
    }

    /// The error rate above which the budget burns that fast. With a low target it could exceed 1, which no rate
    /// reaches; it is capped, because an application that nearly always fails should alert in any case.
    fn threshold(&self, objective: &ValidObjective) -> String {
        let (factor, budget) = (self.factor(objective.spec.window_days), 1.0 - objective.target);
        if factor * budget > 0.9 {
            return "0.9".to_owned();
        }
        format!("({} * {})", telemetry::number(factor), telemetry::number(budget))
    }
}

fn hours(days: i32) -> f64 {
    f64::from(days) * 24.0
}

/// The rule group of one objective.
pub(super) fn group(app: &Validated, objective: &ValidObjective) -> Value {
    let name = &objective.spec.name;
    let burns: Vec<&Burn> = BURNS
        .iter()
        .filter(|burn| burn.applies(objective.spec.window_days))
        .collect();
    let mut rules = measurements(app, objective);
    rules.extend(ranges(&burns).into_iter().map(|range| ratio(app, name, range)));
    rules.extend(
        ["page", "ticket"]
            .iter()
            .filter_map(|severity| alert(app, objective, severity, &burns)),
    );
    json!({"name": format!("{}-objective-{name}", app.name), "interval": "1m", "rules": rules})
}

/// The windows that the alerts require, without duplicates, the shortest first.
fn ranges(burns: &[&Burn]) -> Vec<Range> {
    let mut ranges: Vec<Range> = burns.iter().flat_map(|burn| [burn.short, burn.long]).collect();
    ranges.sort_by(|one, other| one.1.total_cmp(&other.1));
    ranges.dedup_by_key(|range| range.0);
    ranges
}

/// Requests and bad requests per second. All else is computed from these two series: the many series of the mesh, one
/// for each pod, caller and code, are read over 5 minutes only, not over 3 days every minute.
fn measurements(app: &Validated, objective: &ValidObjective) -> Vec<Value> {
    let bad = match &objective.spec.latency {
        Some(latency) => telemetry::slower_than(app, latency.milliseconds, "5m"),
        None => telemetry::errors(app, "5m"),
    };
    let labels = labels(app, &objective.spec.name);
    vec![
        json!({"record": "idp:objective_requests:rate5m", "expr": telemetry::requests(app, "5m"), "labels": labels}),
        json!({"record": "idp:objective_errors:rate5m", "expr": bad, "labels": labels}),
    ]
}

/// Share of bad requests over a window. No data without requests, rather than a division by zero.
fn ratio(app: &Validated, objective: &str, range: Range) -> Value {
    let (series, Range(range, _)) = (recorded(app, objective), range);
    let over = |metric: &str| match range {
        "5m" => format!("{metric}{series}"),
        _ => format!("sum_over_time({metric}{series}[{range}])"),
    };
    json!({
        "record": format!("idp:objective_errors:ratio_rate{range}"),
        "expr": format!(
            "{} / ({} > 0)", over("idp:objective_errors:rate5m"), over("idp:objective_requests:rate5m")),
        "labels": labels(app, objective),
    })
}

fn labels(app: &Validated, objective: &str) -> Value {
    json!({"application": app.name, "namespace": app.namespace, "objective": objective})
}

/// One alert for each severity: whichever window detects it, it is the same event.
fn alert(app: &Validated, objective: &ValidObjective, severity: &str, burns: &[&Burn]) -> Option<Value> {
    let (spec, series) = (&objective.spec, recorded(app, &objective.spec.name));
    let conditions: Vec<String> = burns
        .iter()
        .filter(|burn| burn.severity == severity)
        .map(|burn| {
            let threshold = burn.threshold(objective);
            let above =
                |range: Range| format!("idp:objective_errors:ratio_rate{}{series} > {threshold}", range.0);
            format!("({} and {})", above(burn.long), above(burn.short))
        })
        .collect();
    let mut labels = labels(app, &spec.name);
    labels["severity"] = json!(severity);
    let bad = match &spec.latency {
        Some(latency) => format!("took longer than {} ms", latency.milliseconds),
        None => "failed".to_owned(),
    };
    let allowed = telemetry::number((1.0 - objective.target) * 100.0);
    (!conditions.is_empty()).then(|| {
        json!({
            "alert": "ObjectiveBudgetBurn",
            "expr": conditions.join(" or "),
            "labels": labels,
            "annotations": {
                "summary": format!(
                    "{} in {} uses up the error budget of its objective {} too fast", app.name, app.namespace, spec.name),
                "description": format!(
                    "{{{{ $value | humanizePercentage }}}} of requests {bad}. The objective allows {allowed}% over {} days.",
                    spec.window_days),
                "runbook": first_step(app),
            },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, availability, latency};

    fn factors(window_days: i32) -> Vec<String> {
        let burns = BURNS.iter().filter(|burn| burn.applies(window_days));
        burns
            .map(|burn| telemetry::number(burn.factor(window_days)))
            .collect()
    }

    #[test]
    fn factors_are_the_workbooks_over_30_days() {
        assert_eq!(factors(30), ["14.4", "6", "3", "1"]);
    }

    #[test]
    fn factors_follow_the_window() {
        assert_eq!(factors(90), ["43.2", "18", "9", "3"]);
        // The shares of the tickets over a week would be burn rates of 0.7 and 0.23.
        assert_eq!(factors(7), ["3.36", "1.4", "1", "1"]);
        // Three days exceed a window of one.
        assert_eq!(factors(1), ["1", "1", "1"]);
    }

    #[test]
    fn thresholds_can_be_reached() {
        let modest = availability("modest", 0.9, 30);
        assert_eq!(BURNS[0].threshold(&modest), "0.9");
        assert_eq!(BURNS[1].threshold(&modest), "(6 * 0.1)");
        assert_eq!(
            BURNS[0].threshold(&availability("strict", 0.9999, 30)),
            "(14.4 * 0.0001)"
        );
    }

    #[test]
    fn a_complete_group() {
        let group = group(&app(), &availability("available", 0.999, 30));
        let rules = group["rules"].as_array().unwrap();
        let names: Vec<&str> = rules
            .iter()
            .map(|rule| rule["record"].as_str().or(rule["alert"].as_str()).unwrap())
            .collect();
        assert_eq!(names[0], "idp:objective_requests:rate5m");
        // Two recorded series, seven windows, two alerts.
        assert_eq!(names.len(), 11, "{names:?}");
        let traffic =
            r#"reporter="destination",destination_workload_namespace="team-a",destination_workload="shop""#;
        assert_eq!(
            rules[1]["expr"],
            format!(
                r#"(sum(rate(istio_requests_total{{{traffic},response_code=~"5.."}}[5m])) or vector(0))"#
            )
        );
        let series = r#"{namespace="team-a",application="shop",objective="available"}"#;
        let page = rules
            .iter()
            .find(|rule| rule["labels"]["severity"] == "page")
            .unwrap();
        let ratio = "idp:objective_errors:ratio_rate";
        assert_eq!(
            page["expr"],
            format!(
                "({ratio}1h{series} > (14.4 * 0.001) and {ratio}5m{series} > (14.4 * 0.001)) or \
                 ({ratio}6h{series} > (6 * 0.001) and {ratio}30m{series} > (6 * 0.001))"
            )
        );
        assert_eq!(page["annotations"]["runbook"], "idp-cli status shop -n team-a");
    }

    #[test]
    fn latency_counts_slower_requests() {
        let rules = measurements(&app(), &latency("fast", 0.99, 250));
        assert!(rules[1]["expr"].as_str().unwrap().contains(r#"le=~"250([.]0)?""#));
    }
}
