//! DER, so far as it must be looked at before and beside the parser: every value ends where its parent says.

/// Deepest nesting; a request has about ten levels.
const DEEPEST: usize = 16;
/// Most values; a request with a hundred names has a few hundred.
const MOST: usize = 2000;

const SEQUENCE: u8 = 0x30;
const IDENTIFIER: u8 = 0x06;
const CONSTRUCTED: u8 = 0x20;

/// One value: its tag, what it holds, and what follows.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// Checks that `bytes` are one value, that lengths are written in one way only, and that the parts of each value fill
/// it exactly.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let mut count = 0;
    let value = read(bytes)?;
    if !value.rest.is_empty() {
        return Err("something follows it");
    }
    fill(&value, 0, &mut count)
}

fn fill(value: &Value<'_>, depth: usize, count: &mut usize) -> Result<(), &'static str> {
    *count += 1;
    if *count > MOST {
        return Err("it has too many parts");
    }
    if value.tag & CONSTRUCTED == 0 {
        return Ok(());
    }
    if depth == DEEPEST {
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
        return Err("it ends early");
    };
    if tag & 0x1f == 0x1f {
        return Err("a tag has several bytes");
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest
                .split_at_checked(usize::from(length & 0x7f))
                .ok_or("it ends early")?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            if digits.first() == Some(&0) || length < 0x80 {
                return Err("a length is written longer than need be");
            }
            (length, rest)
        }
        _ => return Err("a length is indefinite, or too large"),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or("it ends early")?;
    Ok(Value {
        tag: *tag,
        content,
        rest,
    })
}

/// How many parts a value has; `None` when it is no value with parts.
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

/// The object identifiers in a sequence of nothing else, encoded.
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
    fn one_value_and_nothing_else() {
        assert!(check(&[0x30, 0x03, 0x02, 0x01, 0x05]).is_ok());
        for (bytes, why) in [
            (&[][..], "it ends early"),
            (&[0x30, 0x03, 0x02, 0x01], "it ends early"),
            (&[0x02, 0x01, 0x05, 0x00], "something follows it"),
            (&[0x30, 0x04, 0x02, 0x01, 0x05, 0x00], "it ends early"),
            (&[0x30, 0x80, 0x00, 0x00], "a length is indefinite, or too large"),
            (&[0x30, 0x81, 0x00], "a length is written longer than need be"),
            (&[0x1f, 0x01, 0x00], "a tag has several bytes"),
            (
                &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
                "a length is indefinite, or too large",
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
