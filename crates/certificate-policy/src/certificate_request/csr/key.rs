//! Public keys: algorithm and size, from their identifiers alone.

use idp_api::certificate_policy::KeyAlgorithm;
use x509_parser::{
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use crate::{
    certificate_request::requirements::{Key, Rejection},
    reasons::KEY_MALFORMED,
};

/// Maximum bits of an RSA key: larger ones make verification slow enough for a denial of service.
const MAX_RSA_BITS: u32 = 8192;

/// Reads a public key.
pub(super) fn read(info: &SubjectPublicKeyInfo<'_>) -> Result<Key, Rejection> {
    let malformed = |why: &str| Rejection::new(KEY_MALFORMED, why);
    let algorithm = &info.algorithm.algorithm;
    let data = info.subject_public_key.data.as_ref();
    if algorithm == &OID_PKCS1_RSAENCRYPTION {
        let Ok(PublicKey::RSA(key)) = info.parsed() else {
            return Err(malformed("The RSA key cannot be parsed."));
        };
        let exponent = key.try_exponent().unwrap_or_default();
        if exponent < 3 || exponent.is_multiple_of(2) {
            return Err(malformed("The RSA key has an insecure exponent."));
        }
        let size = bits(key.modulus).filter(|size| *size <= MAX_RSA_BITS);
        let size = size.ok_or_else(|| malformed("The RSA key has more than 8192 bits."))?;
        return Ok(Key {
            algorithm: KeyAlgorithm::Rsa,
            size,
        });
    }
    if algorithm == &OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = info
            .algorithm
            .parameters
            .as_ref()
            .and_then(|parameters| parameters.as_oid().ok());
        let (size, bytes) = match curve {
            Some(curve) if curve == OID_EC_P256 => (256, 32),
            Some(curve) if curve == OID_NIST_EC_P384 => (384, 48),
            Some(curve) if curve == OID_NIST_EC_P521 => (521, 66),
            _ => {
                return Err(malformed("The ECDSA key is not on curve P-256, P-384 or P-521."));
            }
        };
        if data.first() != Some(&4) || data.len() != 1 + 2 * bytes {
            return Err(malformed(
                "The ECDSA key is not an uncompressed point of its curve.",
            ));
        }
        return Ok(Key {
            algorithm: KeyAlgorithm::Ecdsa,
            size,
        });
    }
    if algorithm == &OID_SIG_ED25519 && data.len() == 32 {
        return Ok(Key {
            algorithm: KeyAlgorithm::Ed25519,
            size: 256,
        });
    }
    Err(malformed("The key is neither RSA, ECDSA nor Ed25519."))
}

/// Bits of a positive integer in DER.
fn bits(integer: &[u8]) -> Option<u32> {
    if integer.first()? & 0x80 != 0 {
        return None;
    }
    let start = integer.iter().position(|byte| *byte != 0)?;
    let bytes = &integer[start..];
    let all = u32::try_from(bytes.len()).ok()?.checked_mul(8)?;
    Some(all - bytes.first()?.leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_do_not_count() {
        assert_eq!(bits(&[0, 0x80, 0]), Some(16));
        assert_eq!(bits(&[0x40, 0]), Some(15));
        assert_eq!(bits(&[0, 0, 1]), Some(1));
        assert_eq!(bits(&[0x80]), None);
        assert_eq!(bits(&[0]), None);
        assert_eq!(bits(&[]), None);
    }
}
