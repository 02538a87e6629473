//! The subcommands.

use std::{error::Error, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    greeting::Greeting,
    server::Server,
    settings::{Lookup, Settings},
    web::App,
};

const USAGE: &str = "usage: sample-web-app [serve | migrate | report]";

/// Runs the named subcommand; `serve` without a name.
pub(crate) fn run(command: Option<&str>, env: Lookup<'_>) -> Result<(), Box<dyn Error>> {
    match command {
        None | Some("serve") => serve(env),
        Some("migrate") => println_result(migrate(env)),
        Some("report") => println_result(report(env)),
        Some("help" | "--help" | "-h") => println_result(Ok(USAGE.to_owned())),
        Some(other) => Err(format!("unknown command {other}; {USAGE}").into()),
    }
}

fn println_result(outcome: Result<String, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    println!("{}", outcome?);
    Ok(())
}

/// Serves until SIGTERM, or Ctrl-C.
#[tokio::main]
async fn serve(env: Lookup<'_>) -> Result<(), Box<dyn Error>> {
    let settings = Settings::read(env)?;
    // Before anything else, so that no signal is missed. As process 1 of a container, a process without a handler
    // ignores SIGTERM.
    let mut terminate = signal(SignalKind::terminate())?;
    let app = Arc::new(App::new(settings.place.clone())?);
    let server = Server::bind(&settings, app).await?;
    println!(
        "listening on {}, metrics on {}",
        server.address()?,
        server.metrics_address()?
    );
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        println!("shutting down: finishing requests");
    };
    server.run(&settings, stop).await?;
    println!("stopped");
    Ok(())
}

/// Runs once for an image before its pods start. There is no database to change, so it checks the configuration of the
/// pods: a release with a broken configuration fails here, and the old version keeps running.
fn migrate(env: Lookup<'_>) -> Result<String, Box<dyn Error>> {
    if env("FAIL_MIGRATION").as_deref() == Some("1") {
        return Err("migration failed because FAIL_MIGRATION=1 is set".into());
    }
    let settings = Settings::read(env)?;
    let greeting = Greeting::read(&settings.greeting_file)?;
    Ok(format!(
        "migration to {} done: settings are complete, the greeting in {} is {:?}",
        env!("CARGO_PKG_VERSION"),
        settings.greeting_file.0.display(),
        greeting.title
    ))
}

/// Runs on a schedule: prints one line about this installation.
fn report(env: Lookup<'_>) -> Result<String, Box<dyn Error>> {
    let settings = Settings::read(env)?;
    let greeting = Greeting::read(&settings.greeting_file)?;
    let place = settings.place;
    Ok(format!(
        "report application={} version={} environment={} namespace={} pod={} node={} greeting={:?}",
        place.application,
        env!("CARGO_PKG_VERSION"),
        place.environment,
        place.namespace,
        place.pod,
        place.node,
        greeting.title
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migration_says_what_it_did() {
        assert!(migrate(&|_| None).unwrap().contains("migration to 0.1.0 done"));
    }

    #[test]
    fn the_migration_fails_on_demand_and_on_a_missing_file() {
        assert!(migrate(&|name| (name == "FAIL_MIGRATION").then(|| "1".to_owned())).is_err());
        let missing = |name: &str| (name == "GREETING_FILE").then(|| "/nonexistent".to_owned());
        assert!(
            migrate(&missing)
                .unwrap_err()
                .to_string()
                .contains("/nonexistent")
        );
    }

    #[test]
    fn the_report_is_one_line() {
        let line = report(&|name| (name == "IDP_ENVIRONMENT").then(|| "local".to_owned())).unwrap();
        assert!(line.contains("environment=local"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn an_unknown_command_is_refused_with_the_known_ones() {
        assert!(
            run(Some("sevre"), &|_| None)
                .unwrap_err()
                .to_string()
                .contains("serve | migrate | report")
        );
    }
}
