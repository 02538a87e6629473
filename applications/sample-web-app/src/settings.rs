//! Settings, from environment variables.

use std::{path::PathBuf, str::FromStr, time::Duration};

/// Looks up an environment variable. An argument, so that tests need not change those of the process.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Default of `GREETING_FILE`.
const DEFAULT_GREETING_FILE: &str = "/etc/sample/greeting.json";

/// An invalid variable.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{name}={value:?} is not valid: expected {expected}")]
pub(crate) struct SettingError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

/// Settings of the service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Port of the pages (`PORT`).
    pub(crate) port: u16,
    /// Port of the metrics (`METRICS_PORT`), separate so that no route exposes it.
    pub(crate) metrics_port: u16,
    /// The greeting's file, and whether it was set explicitly.
    pub(crate) greeting_file: (PathBuf, bool),
    /// Time for which the service still responds after SIGTERM (`DRAIN_SECONDS`).
    pub(crate) drain: Duration,
    /// Where the service runs.
    pub(crate) place: Place,
}

/// Where the service runs. Fields are `unknown` if not set, such as on a laptop without a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// Name of the application (`IDP_APPLICATION`).
    pub(crate) application: String,
    /// Name of the Environment (`IDP_ENVIRONMENT`).
    pub(crate) environment: String,
    /// Namespace of the pod (`POD_NAMESPACE`).
    pub(crate) namespace: String,
    /// Name of the pod (`POD_NAME`).
    pub(crate) pod: String,
    /// Node of the pod (`NODE_NAME`).
    pub(crate) node: String,
}

impl Settings {
    /// Reads the settings.
    pub(crate) fn read(env: Lookup<'_>) -> Result<Self, SettingError> {
        let text = |name: &str| env(name).filter(|value| !value.is_empty());
        let place = |name: &str| text(name).unwrap_or_else(|| "unknown".to_owned());
        let asked = text("GREETING_FILE");
        Ok(Self {
            port: number(env, "PORT", 8080, "a port number")?,
            metrics_port: number(env, "METRICS_PORT", 9090, "a port number")?,
            greeting_file: (
                asked.as_deref().unwrap_or(DEFAULT_GREETING_FILE).into(),
                asked.is_some(),
            ),
            // Gateways and proxies remove endpoints shortly after SIGTERM, not immediately.
            drain: Duration::from_secs(number(env, "DRAIN_SECONDS", 5, "a number of seconds")?),
            place: Place {
                application: text("IDP_APPLICATION").unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
                environment: place("IDP_ENVIRONMENT"),
                namespace: place("POD_NAMESPACE"),
                pod: place("POD_NAME"),
                node: place("NODE_NAME"),
            },
        })
    }
}

fn number<T: FromStr>(
    env: Lookup<'_>,
    name: &'static str,
    default: T,
    expected: &'static str,
) -> Result<T, SettingError> {
    match env(name).filter(|value| !value.is_empty()) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| SettingError {
            name,
            value,
            expected,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_a_pod() {
        let settings = Settings::read(&|_| None).unwrap();
        assert_eq!((settings.port, settings.metrics_port), (8080, 9090));
        assert_eq!(settings.greeting_file, (DEFAULT_GREETING_FILE.into(), false));
        assert_eq!(settings.place.application, "sample-web-app");
        assert_eq!(settings.place.environment, "unknown");
    }

    #[test]
    fn a_wrong_value_is_named_and_not_ignored() {
        let error = Settings::read(&|name| (name == "PORT").then(|| "http".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"PORT="http" is not valid: expected a port number"#
        );
    }
}
