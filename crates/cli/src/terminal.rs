//! The one place where text goes to standard output and standard error.
//!
//! What the cluster says was written by anybody: a tenant's text must not move the cursor of whoever looks at it.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use idp_core::visible;

/// Writes lines to standard output. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn emit(text: &str) -> Result<()> {
    write(&visible::lines(text))
}

/// Writes one line to standard output.
pub(crate) fn say(text: &str) -> Result<()> {
    write(&format!("{}\n", visible::line(text)))
}

/// Asks on standard output: the answer comes on the same line.
pub(crate) fn ask(text: &str) -> Result<()> {
    write(&visible::line(text))?;
    Ok(std::io::stdout().flush()?)
}

/// Writes manifests to standard output: to a file or a program as they are.
pub(crate) fn data(text: &str) -> Result<()> {
    if std::io::stdout().is_terminal() {
        emit(text)
    } else {
        write(text)
    }
}

/// Writes one line to standard error: standard output is for what was asked for.
pub(crate) fn note(text: &str) {
    // Nothing can be done about a terminal that is gone.
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
