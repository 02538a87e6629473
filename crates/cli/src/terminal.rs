//! The only place that writes to standard output and standard error.
//!
//! Text from the cluster is untrusted: a tenant's text must not control the user's terminal.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use idp_core::visible;

/// Writes lines to standard output. A closed pipe, such as with `head`, is not an error.
pub(crate) fn emit(text: &str) -> Result<()> {
    write(&visible::lines(text))
}

/// Writes one line to standard output.
pub(crate) fn say(text: &str) -> Result<()> {
    write(&format!("{}\n", visible::line(text)))
}

/// Writes a prompt to standard output, without a line break.
pub(crate) fn ask(text: &str) -> Result<()> {
    write(&visible::line(text))?;
    Ok(std::io::stdout().flush()?)
}

/// Writes manifests to standard output; escaped on a terminal, unchanged to a file or pipe.
pub(crate) fn data(text: &str) -> Result<()> {
    if std::io::stdout().is_terminal() {
        emit(text)
    } else {
        write(text)
    }
}

/// Writes one line to standard error; standard output is for results.
pub(crate) fn note(text: &str) {
    // Errors of a closed terminal are ignored.
    let _ = writeln!(std::io::stderr().lock(), "{}", visible::line(text));
}

/// Writes several lines to standard error.
pub(crate) fn notes(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible::lines(text));
}

fn write(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
