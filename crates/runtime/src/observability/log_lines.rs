//! Log lines, escaped: text that anyone wrote into an object can neither move the cursor nor begin a line.

use std::io::{self, Stderr, Write};

use idp_core::visible;
use tracing_subscriber::fmt::MakeWriter;

/// Writes each event as one line, to standard error.
pub(crate) struct Lines {
    /// Whether the format uses colours. It escapes colours in values itself.
    pub(crate) coloured: bool,
}

/// Writes one event.
pub(crate) struct Line<W> {
    to: W,
    coloured: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            to: io::stderr(),
            coloured: self.coloured,
        }
    }
}

impl<W: Write> Write for Line<W> {
    /// The formats write each event in one call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let shown = visible::escaped(line, |c| self.coloured && c == '\u{1b}');
        self.to.write_all(format!("{shown}{end}").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool) -> String {
        let kept = Kept::default();
        let to = kept.clone();
        let writer = move || Line {
            to: to.clone(),
            coloured: false,
        };
        let layer = tracing_subscriber::fmt::layer().with_writer(writer);
        let evil = "x\u{1b}[31m\u{9b}2J\u{202e}\n{\"level\":\"ERROR\"}";
        if json {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.json()), || {
                tracing::info!(error = %evil, evil);
            });
        } else {
            let layer = layer.with_ansi(false);
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::info!(error = %evil, evil, "{evil}");
            });
        }
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn an_event_is_one_line_and_moves_no_cursor() {
        for json in [true, false] {
            let text = logged(json);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(!text.trim_end().chars().any(visible::is_hidden), "{text:?}");
        }
        let read: serde_json::Value = serde_json::from_str(&logged(true)).unwrap();
        assert_eq!(
            read["fields"]["evil"],
            "x\u{1b}[31m\u{9b}2J\u{202e}\n{\"level\":\"ERROR\"}"
        );
    }
}
