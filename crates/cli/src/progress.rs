//! Progress on the terminal.

use std::io::{IsTerminal, Write};

use idp_cluster::{Event, Progress};
use idp_core::visible;

/// Writes a line for each step to standard error; on a terminal, also the progress of a long step.
pub(crate) struct Terminal;

/// Erases the current line.
const CLEAR: &str = "\r\x1b[2K";

impl Progress for Terminal {
    fn report(&self, event: Event<'_>) {
        let mut out = std::io::stderr().lock();
        // Errors of a closed terminal are ignored.
        let _ = match event {
            Event::Started { step } if out.is_terminal() => write!(out, "{CLEAR}… {step}"),
            Event::Line { step, line } if out.is_terminal() => {
                let line: String = visible::line(line)
                    .chars()
                    .take(100usize.saturating_sub(step.len()))
                    .collect();
                write!(out, "{CLEAR}… {step}: {line}")
            }
            Event::Finished { step, elapsed } if out.is_terminal() => {
                writeln!(out, "{CLEAR}✓ {step} ({:.1} s)", elapsed.as_secs_f32())
            }
            Event::Started { step } => writeln!(out, "… {step}"),
            Event::Finished { step, elapsed } => writeln!(out, "✓ {step} ({:.1} s)", elapsed.as_secs_f32()),
            Event::Line { .. } => Ok(()),
        };
        let _ = out.flush();
    }
}
