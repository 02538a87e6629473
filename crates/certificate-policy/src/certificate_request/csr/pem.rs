//! Decoding of exactly one PEM block.

use base64::{Engine, engine::general_purpose::STANDARD};

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE REQUEST-----";
const END: &[u8] = b"-----END CERTIFICATE REQUEST-----";

/// The decoded bytes of the block.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let text = text.trim_ascii();
    let body = text
        .strip_prefix(BEGIN)
        .ok_or("it does not begin with BEGIN CERTIFICATE REQUEST")?;
    let body = body
        .strip_suffix(END)
        .ok_or("it does not end with END CERTIFICATE REQUEST")?;
    if !body.starts_with(b"\n") && !body.starts_with(b"\r\n") {
        return Err("text follows BEGIN CERTIFICATE REQUEST on its line");
    }
    if !body.ends_with(b"\n") {
        return Err("END CERTIFICATE REQUEST is not on its own line");
    }
    let digits: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
        .collect();
    STANDARD
        .decode(digits)
        .map_err(|_| "its body is not valid base64")
}
