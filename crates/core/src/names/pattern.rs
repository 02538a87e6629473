//! Patterns of DNS names that policies allow.

use super::dns::{DnsName, Malformed, PUNYCODE, normal};

/// One entry of a policy.
///
/// Wildcard names (`*.shop.example.com`) and international labels are allowed only if listed by name: `*` is not meant
/// to allow a certificate for a whole domain, or for a name that only looks like another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsPattern {
    /// This name, which may be a wildcard.
    Exact(DnsName),
    /// Every name below this domain.
    Below(String),
    /// Names whose labels match one by one.
    Labels(Vec<Label>),
}

/// Pattern of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// This label.
    Literal(String),
    /// Prefix and suffix, with at least one character between.
    Around(String, String),
}

impl DnsPattern {
    /// An entry of `exact`.
    ///
    /// # Errors
    /// When it is not a name.
    pub fn exact(text: &str) -> Result<Self, Malformed> {
        DnsName::parse(text).map(Self::Exact)
    }

    /// An entry of `suffixes`.
    ///
    /// # Errors
    /// When it is not a domain.
    pub fn below(text: &str) -> Result<Self, Malformed> {
        if text.starts_with('*') {
            return Err(Malformed("a suffix cannot contain '*': write the domain alone"));
        }
        DnsName::parse(text).map(|name| Self::Below(name.domain().to_owned()))
    }

    /// An entry of `patterns`.
    ///
    /// # Errors
    /// When it is not a pattern.
    pub fn labels(text: &str) -> Result<Self, Malformed> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let labels: Vec<Label> = text.split('.').map(label).collect::<Result<_, _>>()?;
        match labels.last() {
            Some(Label::Literal(_)) => Ok(Self::Labels(labels)),
            _ => Err(Malformed("its last label cannot contain '*'")),
        }
    }

    /// Whether it allows `name`.
    pub fn allows(&self, name: &DnsName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Below(domain) => {
                let below = name.domain().strip_suffix(domain.as_str());
                let below = below.and_then(|rest| rest.strip_suffix('.'));
                !name.is_wildcard()
                    && below.is_some_and(|labels| labels.split('.').all(|label| !label.starts_with(PUNYCODE)))
            }
            Self::Labels(labels) => {
                !name.is_wildcard()
                    && name.domain().split('.').count() == labels.len()
                    && name
                        .domain()
                        .split('.')
                        .zip(labels)
                        .all(|(found, label)| label.allows(found))
            }
        }
    }

    /// The name that it allows, or the suffix of the names that it allows; `None` for patterns.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Exact(name) => Some(name.to_string()),
            Self::Below(domain) => Some(format!(".{domain}")),
            Self::Labels(_) => None,
        }
    }

    /// As a regular expression over normalised names without wildcard, for the admission policy; `None` for variants
    /// that need none.
    pub fn expression(&self) -> Option<String> {
        let Self::Labels(labels) = self else { return None };
        let labels: Vec<String> = labels.iter().map(Label::expression).collect();
        Some(format!("^{}$", labels.join("\\.")))
    }
}

impl Label {
    fn allows(&self, found: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == found,
            Self::Around(start, end) => {
                found.len() > start.len() + end.len()
                    && found.starts_with(start.as_str())
                    && found.ends_with(end.as_str())
                    && !found.starts_with(PUNYCODE)
            }
        }
    }

    // Labels hold letters, digits and '-' only: none of them means anything in a regular expression.
    fn expression(&self) -> String {
        match self {
            Self::Literal(literal) => literal.clone(),
            Self::Around(start, end) => format!("{start}[-a-z0-9]+{end}"),
        }
    }
}

fn label(text: &str) -> Result<Label, Malformed> {
    let Some((start, end)) = text.split_once('*') else {
        return normal(text).and_then(|label| {
            if label.contains('.') {
                Err(Malformed("it is not a host name"))
            } else {
                Ok(Label::Literal(label))
            }
        });
    };
    let ascii = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !ascii(start) || !ascii(end) {
        return Err(Malformed(
            "a label can contain at most one '*', with letters, digits and '-'",
        ));
    }
    let (start, end) = (start.to_ascii_lowercase(), end.to_ascii_lowercase());
    if start.starts_with('-') || end.ends_with('-') || start.len() + end.len() > 62 {
        return Err(Malformed("no label of a host name can match it"));
    }
    Ok(Label::Around(start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &Result<DnsPattern, Malformed>, name: &str) -> bool {
        pattern.as_ref().unwrap().allows(&DnsName::parse(name).unwrap())
    }

    #[test]
    fn exact_names() {
        let pattern = DnsPattern::exact("Shop.Example.com.");
        assert!(allows(&pattern, "shop.example.com"));
        assert!(allows(&pattern, "SHOP.example.com."));
        for other in [
            "example.com",
            "a.shop.example.com",
            "*.shop.example.com",
            "xshop.example.com",
        ] {
            assert!(!allows(&pattern, other), "{other}");
        }
        let wildcard = DnsPattern::exact("*.example.com");
        assert!(allows(&wildcard, "*.example.com"));
        assert!(!allows(&wildcard, "shop.example.com"));
        assert!(!allows(&wildcard, "example.com"));
    }

    #[test]
    fn suffixes() {
        let pattern = DnsPattern::below("apps.example.com");
        assert!(allows(&pattern, "shop.apps.example.com"));
        assert!(allows(&pattern, "a.b.c.apps.example.com"));
        for other in [
            "apps.example.com",
            "example.com",
            "*.apps.example.com",
            "*.shop.apps.example.com",
            "evilapps.example.com",
            "shop.apps.example.com.evil.org",
            // Looks like "shop" with a Cyrillic letter.
            "shоp.apps.example.com",
        ] {
            assert!(!allows(&pattern, other), "{other}");
        }
        for text in ["*.apps.example.com", ".apps.example.com", "", "10.0.0.0"] {
            assert!(DnsPattern::below(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_one_by_one() {
        let pattern = DnsPattern::labels("api-*.*.example.com");
        assert!(allows(&pattern, "api-1.shop.example.com"));
        for other in [
            "api-.shop.example.com".replace("api-.", "api."),
            "api-1.example.com".to_owned(),
            "a.api-1.shop.example.com".to_owned(),
            "*.api-1.example.com".to_owned(),
            "api-1.xn--bcher-kva.example.com".to_owned(),
        ] {
            assert!(!allows(&pattern, &other), "{other}");
        }
        let wildcard = DnsPattern::labels("*.example.com");
        assert!(allows(&wildcard, "shop.example.com"));
        assert!(!allows(&wildcard, "*.example.com"));
        assert!(!allows(&wildcard, "xn--bcher-kva.example.com"));
        assert!(allows(
            &DnsPattern::labels("bücher.*.com"),
            "xn--bcher-kva.shop.com"
        ));
        for text in [
            "*",
            "a.*",
            "a*b*.com",
            "ü*.com",
            "-*.com",
            "a..com",
            "a。b.*.com",
            "",
        ] {
            assert!(DnsPattern::labels(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_something() {
        let pattern = DnsPattern::labels("a*a.com");
        assert!(!allows(&pattern, "aa.com"));
        assert!(!allows(&pattern, "a.com"));
        assert!(allows(&pattern, "aba.com"));
        assert!(allows(&pattern, "aaa.com"));
    }
}
