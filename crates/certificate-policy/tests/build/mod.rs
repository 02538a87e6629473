//! Builds certificate signing requests byte by byte, which no library would create. Their signatures are invalid.

#![allow(dead_code, reason = "not every test needs every part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use base64::{Engine, engine::general_purpose::STANDARD};

/// One DER value.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..=0x7f => bytes.push(u8::try_from(length).unwrap()),
        _ => {
            let digits: Vec<u8> = length
                .to_be_bytes()
                .into_iter()
                .skip_while(|digit| *digit == 0)
                .collect();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap());
            bytes.extend(digits);
        }
    }
    bytes.extend(content);
    bytes
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x31, &parts.concat())
}

fn identifier(bytes: &[u8]) -> Vec<u8> {
    value(0x06, bytes)
}

pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];

/// A builder of requests.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) subject: Vec<(&'static [u8], String)>,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    /// Attributes besides the one with the extensions.
    pub(crate) attributes: Vec<Vec<u8>>,
    /// Bytes after the sequence of extensions, in the same set.
    pub(crate) more_extensions: Vec<Vec<u8>>,
}

impl Build {
    /// A request for these DNS names, with a P-256 key.
    pub(crate) fn new(names: &[&str]) -> Self {
        Self {
            subject: Vec::new(),
            names: names.iter().map(|name| dns(name)).collect(),
            key: p256(),
            extensions: Vec::new(),
            attributes: Vec::new(),
            more_extensions: Vec::new(),
        }
    }

    pub(crate) fn common_name(mut self, name: &str) -> Self {
        self.subject.push((COMMON_NAME, name.to_owned()));
        self
    }

    pub(crate) fn extension(mut self, oid: &[u8], content: &[u8]) -> Self {
        self.extensions.push(extension(oid, content));
        self
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let subject: Vec<Vec<u8>> = self
            .subject
            .iter()
            .map(|(oid, text)| set(&[sequence(&[identifier(oid), value(0x0c, text.as_bytes())])]))
            .collect();
        let mut extensions = self.extensions.clone();
        if !self.names.is_empty() {
            extensions.insert(0, extension(SUBJECT_ALTERNATIVE_NAME, &sequence(&self.names)));
        }
        let mut attributes = self.attributes.clone();
        if !extensions.is_empty() {
            let mut requested = vec![sequence(&extensions)];
            requested.extend(self.more_extensions.clone());
            attributes.insert(0, sequence(&[identifier(EXTENSION_REQUEST), set(&requested)]));
        }
        let info = sequence(&[
            value(0x02, &[0]),
            sequence(&subject),
            self.key.clone(),
            value(0xa0, &attributes.concat()),
        ]);
        // ecdsa-with-SHA256, and an invalid signature.
        let algorithm = sequence(&[identifier(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        sequence(&[info, algorithm, value(0x03, &[0, 1, 2, 3])])
    }

    pub(crate) fn pem(&self) -> String {
        pem(&self.der())
    }
}

pub(crate) fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        lines.join("\n")
    )
}

pub(crate) fn extension(oid: &[u8], content: &[u8]) -> Vec<u8> {
    sequence(&[identifier(oid), value(0x04, content)])
}

pub(crate) fn dns(name: &str) -> Vec<u8> {
    value(0x82, name.as_bytes())
}

pub(crate) fn uri(uri: &str) -> Vec<u8> {
    value(0x86, uri.as_bytes())
}

pub(crate) fn ip(bytes: &[u8]) -> Vec<u8> {
    value(0x87, bytes)
}

pub(crate) fn email(address: &str) -> Vec<u8> {
    value(0x81, address.as_bytes())
}

/// Attribute `challengePassword`.
pub(crate) fn challenge() -> Vec<u8> {
    let oid = identifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7]);
    sequence(&[oid, set(&[value(0x0c, b"secret")])])
}

/// Another attribute with extensions.
pub(crate) fn extension_request(extensions: &[Vec<u8>]) -> Vec<u8> {
    sequence(&[identifier(EXTENSION_REQUEST), set(&[sequence(extensions)])])
}

/// `{ cA TRUE }`
pub(crate) fn ca() -> Vec<u8> {
    sequence(&[value(0x01, &[0xff])])
}

/// `keyCertSign` and `digitalSignature`.
pub(crate) fn cert_sign() -> Vec<u8> {
    value(0x03, &[2, 0x84])
}

/// `digitalSignature` and `keyEncipherment`.
pub(crate) fn server_usage() -> Vec<u8> {
    value(0x03, &[5, 0xa0])
}

/// The OID `id-kp` with this last number.
pub(crate) fn purpose(number: u8) -> Vec<u8> {
    sequence(&[identifier(&[0x2b, 6, 1, 5, 5, 7, 3, number])])
}

pub(crate) fn p256() -> Vec<u8> {
    let algorithm = sequence(&[
        identifier(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
        identifier(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
    ]);
    let mut point = vec![0, 4];
    point.extend([7; 64]);
    sequence(&[algorithm, value(0x03, &point)])
}

pub(crate) fn ed25519() -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend([9; 32]);
    sequence(&[sequence(&[identifier(&[0x2b, 0x65, 0x70])]), value(0x03, &bits)])
}

pub(crate) fn rsa(bits: usize, exponent: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[
        identifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
        value(0x05, &[]),
    ]);
    let mut modulus = vec![0];
    modulus.extend(vec![0xc3; bits / 8]);
    let key = sequence(&[value(0x02, &modulus), value(0x02, exponent)]);
    let mut string = vec![0];
    string.extend(key);
    sequence(&[algorithm, value(0x03, &string)])
}
