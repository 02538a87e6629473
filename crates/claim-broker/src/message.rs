//! Messages of Crossplane and its providers, in a form that a status can show.

/// Longest message of Crossplane or a provider, in bytes.
const MAX_MESSAGE_BYTES: usize = 400;

/// A message of Crossplane or a provider, shortened and without request IDs, which change with each attempt.
pub(crate) fn readable(message: &str) -> String {
    let mut text = String::new();
    let words = message.split_whitespace().collect::<Vec<_>>();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let lower = word.to_ascii_lowercase();
        if matches!(
            lower.trim_matches(',').trim_end_matches(':'),
            "requestid" | "hostid"
        ) || lower == "request" && words.peek().is_some_and(|next| next.eq_ignore_ascii_case("id:"))
        {
            if lower == "request" {
                words.next();
            }
            // The ID itself.
            words.next();
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text += word;
        if text.len() > MAX_MESSAGE_BYTES {
            break;
        }
    }
    if text.len() > MAX_MESSAGE_BYTES {
        let mut at = MAX_MESSAGE_BYTES;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text += " …";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded() {
        assert!(readable(&"é".repeat(1000)).len() < MAX_MESSAGE_BYTES + 8);
    }
}
