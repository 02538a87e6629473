//! A small web service that shows what the platform gives an application.
//!
//! It has what an application on the platform should have, and nothing that it has to have: it is an ordinary
//! HTTP server that knows nothing of Kubernetes but a few environment variables.

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
