//! Information about the service, on the page and as JSON.

use std::time::Duration;

use serde::Serialize;

/// Information about the service.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Info<'a> {
    /// Name of the application.
    pub(crate) application: &'a str,
    /// Name of the Environment.
    pub(crate) environment: &'a str,
    /// Namespace of the pod.
    pub(crate) namespace: &'a str,
    /// Name of the pod that responds.
    pub(crate) pod: &'a str,
    /// Node that the pod runs on.
    pub(crate) node: &'a str,
    /// Version of the service.
    pub(crate) version: &'a str,
    /// Headline of the greeting.
    pub(crate) title: &'a str,
    /// Sentence of the greeting.
    pub(crate) message: &'a str,
    /// Whole seconds since the start.
    pub(crate) uptime_seconds: u64,
    /// Requests that this pod has answered, without probes.
    pub(crate) requests_served: u64,
}

/// A duration for people: `2 d 3 h`, `3 h 4 min`, `4 min 5 s`, `5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_name_their_two_largest_units() {
        for (seconds, text) in [
            (5, "5 s"),
            (245, "4 min 5 s"),
            (11_045, "3 h 4 min"),
            (183_845, "2 d 3 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }
}
