//! Complete host names, in small letters, against each other.

/// Whether a request can be for both of two complete hosts: they are the same, or one is a wildcard over the other.
pub fn overlap(one: &str, other: &str) -> bool {
    one == other || covers(one, other) || covers(other, one)
}

fn covers(wildcard: &str, host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    wildcard
        .strip_prefix("*.")
        .is_some_and(|suffix| is_below(name, suffix) || (host.starts_with("*.") && name == suffix))
}

/// Whether a complete host is the base domain, a parent of it, or a wildcard over either: that is everybody's.
pub fn is_everybodys(host: &str, base_domain: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    name == base_domain || is_below(base_domain, name)
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|labels| labels.ends_with('.') && labels.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_overlaps_with_all_that_is_below() {
        for (one, other) in [
            ("a.test", "a.test"),
            ("*.a.test", "b.a.test"),
            ("c.b.a.test", "*.a.test"),
            ("*.a.test", "*.b.a.test"),
            ("*.a.test", "*.a.test"),
        ] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("*.a.test", "a.test"),
            ("*.a.test", "ba.test"),
            ("a.test", "b.a.test"),
        ] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }

    #[test]
    fn the_base_domain_and_its_parents_are_everybodys() {
        for host in [
            "apps.test.com",
            "*.apps.test.com",
            "test.com",
            "*.test.com",
            "com",
        ] {
            assert!(is_everybodys(host, "apps.test.com"), "{host}");
        }
        for host in [
            "shop.apps.test.com",
            "*.shop.apps.test.com",
            "shop.test.com",
            "ps.test.com",
        ] {
            assert!(!is_everybodys(host, "apps.test.com"), "{host}");
        }
    }
}
