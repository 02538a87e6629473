//! DNS names, normalised: lower case, no trailing dot, international labels in Punycode.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Maximum length of the input. A name of 253 characters may be longer before it is normalised.
const MAX_BYTES: usize = 1024;

/// Prefix of international labels.
pub(super) const PUNYCODE: &str = "xn--";

/// A name that a certificate can contain. Always normalised, so that equal names are equal values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName {
    /// Whether it matches every name one label below [`Self::domain`].
    wildcard: bool,
    domain: String,
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl DnsName {
    /// Normalises a name, which may begin with `*.`.
    ///
    /// # Errors
    /// When it is too long, has invalid characters, is an IP address, or contains invalid Punycode.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_BYTES {
            return Err(Malformed("it is too long"));
        }
        let (wildcard, domain) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        let domain = normal(domain)?;
        if is_number(domain.rsplit('.').next().unwrap_or_default()) {
            // Some verifiers would read it as an address.
            return Err(Malformed("it ends in a number, like an IP address"));
        }
        if wildcard && domain.len() + 2 > 253 {
            return Err(Malformed("it is too long"));
        }
        Ok(Self { wildcard, domain })
    }

    /// Whether it is a wildcard name, such as `*.shop.example.com`.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The name; for a wildcard, the domain below which it matches.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        f.write_str(&self.domain)
    }
}

/// Normalises a name without wildcard.
pub(super) fn normal(text: &str) -> Result<String, Malformed> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(Malformed("it is empty"));
    }
    let normal = Uts46::new()
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| Malformed("it is not a host name"))?;
    Ok(normal.into_owned())
}

/// Whether a last label would be read as part of an IP address (decimal, or hexadecimal as `0x7f`).
fn is_number(label: &str) -> bool {
    let digits = label.strip_prefix("0x").unwrap_or(label);
    let hexadecimal = digits.len() != label.len();
    digits.chars().all(|c| {
        if hexadecimal {
            c.is_ascii_hexdigit()
        } else {
            c.is_ascii_digit()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str) -> Result<String, Malformed> {
        DnsName::parse(text).map(|name| name.to_string())
    }

    #[test]
    fn case_dot_and_script_do_not_matter() {
        assert_eq!(normalised("Shop.Example.COM.").unwrap(), "shop.example.com");
        assert_eq!(normalised("bücher.example").unwrap(), "xn--bcher-kva.example");
        assert_eq!(normalised("BÜCHER.example").unwrap(), "xn--bcher-kva.example");
        assert_eq!(
            normalised("XN--BCHER-KVA.example").unwrap(),
            "xn--bcher-kva.example"
        );
        assert_eq!(normalised("shop。example").unwrap(), "shop.example");
        assert_eq!(normalised("*.Shop.Example").unwrap(), "*.shop.example");
    }

    #[test]
    fn what_is_no_host_name() {
        for text in [
            "",
            ".",
            "..",
            "*",
            "*.",
            "a..b",
            ".a",
            "a.*.b",
            "**.a",
            "a b.c",
            "a_b.c",
            "-a.b",
            "a-.b",
            "a\0.b",
            "a/b.c",
            "a:443",
            "10.0.0.1",
            "a.0x7f",
            "*.1",
            "xn--a.example",
            "xn--.example",
            "xn--zzzzzzzz.example",
            &"a".repeat(64),
            &"a.".repeat(200),
            &"a".repeat(100_000),
        ] {
            assert!(normalised(text).is_err(), "{text:.40} is no host name");
        }
    }
}
