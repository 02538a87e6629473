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

/// Longest list of hosts that is looked up by its terms: beyond, what an object says of hosts is nobody's to serve.
const MOST: usize = 256;

/// Terms under which an object that names these hosts is found by [`overlap_terms`] of any host that overlaps with one.
pub fn host_terms<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for host in hosts.into_iter().take(MOST) {
        terms.push(host.to_owned());
        terms.extend(parents(host).map(|parent| format!("below {parent}")));
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// What to look up for whatever overlaps with `host`: itself, the wildcards over it, and what it covers.
pub fn overlap_terms(host: &str) -> Vec<String> {
    let mut terms = vec![host.to_owned()];
    let name = host.strip_prefix("*.");
    terms.extend(parents(name.unwrap_or(host)).map(|parent| format!("*.{parent}")));
    if let Some(name) = name {
        terms.push(format!("below {name}"));
    }
    terms
}

/// The domains above a name.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| &name[dot + 1..])
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

    #[test]
    fn whatever_overlaps_is_found_by_its_terms() {
        let hosts = [
            "a.test",
            "*.a.test",
            "b.a.test",
            "c.b.a.test",
            "*.b.a.test",
            "ba.test",
            "test",
        ];
        for named in hosts {
            for wanted in hosts {
                let terms = host_terms([named]);
                let found = overlap_terms(wanted).iter().any(|term| terms.contains(term));
                assert_eq!(found, overlap(named, wanted), "{named} {wanted}");
            }
        }
    }
}
