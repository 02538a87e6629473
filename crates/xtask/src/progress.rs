//! Progress as lines of text.

use idp_cluster::{Event, Progress};

/// Prints a line when a step begins, and one when it ends.
pub(crate) struct Lines;

impl Progress for Lines {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Started { step } => println!("… {step}"),
            Event::Finished { step, elapsed } => println!("✓ {step} ({:.1} s)", elapsed.as_secs_f32()),
            Event::Line { .. } => {}
        }
    }
}
