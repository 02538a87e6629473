//! URIs as identities of services: `spiffe://idp.dev/ns/idp-system/sa/idp-webapp`.

use idp_core::names::Malformed;

/// Maximum length of a URI.
const MAX_BYTES: usize = 512;

/// A URI with scheme and authority in lower case.
///
/// # Errors
/// When it is not valid, or has a part that could make two URIs look alike: credentials, a query, a fragment, escaped
/// characters, or `..`.
pub fn normal_uri(text: &str) -> Result<String, Malformed> {
    if text.len() > MAX_BYTES {
        return Err(Malformed("it is too long"));
    }
    let (scheme, rest) = text.split_once("://").ok_or(Malformed("it has no '://'"))?;
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !scheme_fits {
        return Err(Malformed("its scheme is not valid"));
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:".contains(c);
    if authority.is_empty() || !authority.chars().all(plain) {
        return Err(Malformed("its authority is not a plain host"));
    }
    let segments = path.split('/').skip(1);
    for segment in segments {
        if matches!(segment, "." | "..") || !segment.chars().all(|c| plain(c) || "@!$&'()*+,;=".contains(c)) {
            return Err(Malformed(
                "its path has characters or segments that are not allowed",
            ));
        }
    }
    Ok(format!(
        "{}://{}{path}",
        scheme.to_ascii_lowercase(),
        authority.to_ascii_lowercase()
    ))
}

/// An entry of a policy: a URI in whose path `*` matches exactly one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriPattern(String);

impl UriPattern {
    /// Reads an entry.
    ///
    /// # Errors
    /// When it is not a URI.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let pattern = normal_uri(text)?;
        if pattern
            .split('/')
            .any(|segment| segment.contains('*') && segment != "*")
        {
            return Err(Malformed("'*' must be a whole segment"));
        }
        Ok(Self(pattern))
    }

    /// Whether it allows `uri`, which is normalized.
    pub fn allows(&self, uri: &str) -> bool {
        let word = |segment: &str| {
            !segment.is_empty()
                && segment
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
        };
        self.0.split('/').count() == uri.split('/').count()
            && self
                .0
                .split('/')
                .zip(uri.split('/'))
                .all(|(pattern, found)| pattern == found || (pattern == "*" && word(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_uris_and_patterns() {
        let exact = UriPattern::parse("SPIFFE://Idp.dev/ns/a/sa/b").unwrap();
        assert!(exact.allows("spiffe://idp.dev/ns/a/sa/b"));
        assert!(!exact.allows("spiffe://idp.dev/ns/A/sa/b"));
        assert!(!exact.allows("spiffe://idp.dev/ns/a/sa/b/"));
        let any = UriPattern::parse("spiffe://idp.dev/ns/a/sa/*").unwrap();
        assert!(any.allows("spiffe://idp.dev/ns/a/sa/c"));
        for other in [
            "spiffe://idp.dev/ns/a/sa/",
            "spiffe://idp.dev/ns/a/sa/b/c",
            "spiffe://other/ns/a/sa/c",
        ] {
            assert!(!any.allows(other), "{other}");
        }
    }

    #[test]
    fn ambiguous_uris_are_rejected() {
        for text in [
            "",
            "idp.dev",
            "://a",
            "1a://b",
            "a://",
            "a:///b",
            "a://user@b",
            "a://b/../c",
            "a://b/%2e",
            "a://b/c?d",
            "a://b/c#d",
            "a://b/c d",
            "a://b\0",
        ] {
            assert!(normal_uri(text).is_err(), "{text}");
        }
        for text in ["spiffe://*/a", "spiffe://a/b*"] {
            assert!(UriPattern::parse(text).is_err(), "{text}");
        }
    }
}
