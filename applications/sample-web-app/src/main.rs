//! A small web service that shows the platform's features.
//!
//! It is an ordinary HTTP server, and uses nothing of Kubernetes except a few environment variables.

mod commands;
mod greeting;
mod info;
mod lifecycle;
mod page;
mod server;
mod settings;
mod telemetry;
#[cfg(test)]
mod tests;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    match commands::run(command.as_deref(), &|name| std::env::var(name).ok()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample-web-app: {error}");
            ExitCode::FAILURE
        }
    }
}
