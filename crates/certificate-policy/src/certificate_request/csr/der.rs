//! Checks of DER before it is parsed: every value must end where its parent ends.

/// Maximum nesting depth; a request has about ten levels.
const MAX_DEPTH: usize = 16;
/// Maximum number of values; a request with a hundred names has a few hundred.
const MAX_VALUES: usize = 2000;

const SEQUENCE: u8 = 0x30;
const IDENTIFIER: u8 = 0x06;
const CONSTRUCTED: u8 = 0x20;

/// One value: its tag, its content, and the bytes after it.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// Checks that `bytes` are one value, that every length is minimal, and that nested values fill their parent exactly.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let mut count = 0;
    let value = read(bytes)?;
    if !value.rest.is_empty() {
        return Err("data follows it");
    }
    fill(&value, 0, &mut count)
}

fn fill(value: &Value<'_>, depth: usize, count: &mut usize) -> Result<(), &'static str> {
    *count += 1;
    if *count > MAX_VALUES {
        return Err("it has too many values");
    }
    if value.tag & CONSTRUCTED == 0 {
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Err("it is nested too deeply");
    }
    let mut rest = value.content;
    while !rest.is_empty() {
        let part = read(rest)?;
        fill(&part, depth + 1, count)?;
        rest = part.rest;
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Value<'_>, &'static str> {
    let [tag, length, rest @ ..] = bytes else {
        return Err("it ends too early");
    };
    if tag & 0x1f == 0x1f {
        return Err("a tag has more than one byte");
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest
                .split_at_checked(usize::from(length & 0x7f))
                .ok_or("it ends too early")?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            if digits.first() == Some(&0) || length < 0x80 {
                return Err("a length is not minimal");
            }
            (length, rest)
        }
        _ => return Err("a length is indefinite or too large"),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or("it ends too early")?;
    Ok(Value {
        tag: *tag,
        content,
        rest,
    })
}

/// The number of values nested in a value; `None` for a primitive value.
pub(super) fn children(bytes: &[u8]) -> Option<usize> {
    let value = read(bytes).ok()?;
    let mut rest = value.content;
    let mut count = 0;
    while !rest.is_empty() {
        rest = read(rest).ok()?.rest;
        count += 1;
    }
    (value.rest.is_empty() && value.tag & CONSTRUCTED != 0).then_some(count)
}

/// The encoded object identifiers in a sequence; `None` if it contains anything else.
pub(super) fn identifiers(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let value = read(bytes).ok().filter(|value| value.tag == SEQUENCE)?;
    let mut rest = value.content;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let part = read(rest).ok().filter(|part| part.tag == IDENTIFIER)?;
        found.push(part.content);
        rest = part.rest;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_value() {
        assert!(check(&[0x30, 0x03, 0x02, 0x01, 0x05]).is_ok());
        for (bytes, why) in [
            (&[][..], "it ends too early"),
            (&[0x30, 0x03, 0x02, 0x01], "it ends too early"),
            (&[0x02, 0x01, 0x05, 0x00], "data follows it"),
            (&[0x30, 0x04, 0x02, 0x01, 0x05, 0x00], "it ends too early"),
            (&[0x30, 0x80, 0x00, 0x00], "a length is indefinite or too large"),
            (&[0x30, 0x81, 0x00], "a length is not minimal"),
            (&[0x1f, 0x01, 0x00], "a tag has more than one byte"),
            (
                &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
                "a length is indefinite or too large",
            ),
        ] {
            assert_eq!(check(bytes), Err(why), "{bytes:x?}");
        }
        let mut deep = vec![0x05, 0x00];
        for _ in 0..40 {
            let length = u8::try_from(deep.len()).unwrap();
            deep.splice(0..0, [0x30, length]);
        }
        assert_eq!(check(&deep), Err("it is nested too deeply"));
    }
}
