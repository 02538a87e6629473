//! Escapes untrusted text for terminals and logs: control characters, colours, direction overrides and line breaks
//! become visible escapes.

use std::{borrow::Cow, fmt::Write as _};

/// `text` as one line: control characters and line breaks are escaped.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// `text` as several lines: control characters are escaped, line breaks and tabs are kept.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// Whether a terminal does not simply display the character.
pub fn is_hidden(c: char) -> bool {
    // Control characters: C0, DEL and C1.
    c.is_control()
        || matches!(c,
            // Soft hyphen, zero widths, direction marks, line and paragraph separators, direction overrides and
            // isolates.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags.
            | '\u{e0000}'..='\u{e007f}')
}

/// `text` with hidden characters escaped, except those for which `stays` holds.
pub fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| is_hidden(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !is_hidden(c) || stays(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // As JSON does: what reads JSON reads it back. Writing to a string cannot fail.
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(line("x\u{1b}[31mRED"), "x\\u001b[31mRED");
        assert_eq!(line("a\u{9b}2Jb\u{7f}"), "a\\u009b2Jb\\u007f");
        assert_eq!(line("evil\u{202e}gnp.exe"), "evil\\u202egnp.exe");
        assert_eq!(line("one\nPROBLEM two\r\t"), "one\\nPROBLEM two\\r\\t");
        assert_eq!(lines("one\n\ttwo\u{1b}]0;x\u{7}"), "one\n\ttwo\\u001b]0;x\\u0007");
        assert_eq!(line("\u{e0041}"), "\\udb40\\udc41");
        for plain in ["", "größe → 3 × ✓ 日本語 👩", "└─ Deployment/a"] {
            assert!(matches!(line(plain), Cow::Borrowed(same) if same == plain));
        }
    }

    #[test]
    fn nothing_hidden_is_left() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let shown = line(c.encode_utf8(&mut [0; 4])).into_owned();
            assert!(!shown.chars().any(is_hidden), "{c:?}");
        }
    }
}
