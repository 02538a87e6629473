//! Comparison of full host names in lower case.

/// Whether two hosts can match the same request: they are equal, or one is a wildcard over the other.
pub fn overlap(one: &str, other: &str) -> bool {
    one == other || covers(one, other) || covers(other, one)
}

fn covers(wildcard: &str, host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    wildcard
        .strip_prefix("*.")
        .is_some_and(|suffix| is_below(name, suffix) || (host.starts_with("*.") && name == suffix))
}

/// Whether a host is the base domain, a parent of it, or a wildcard over either. No single application may use these.
pub fn is_everybodys(host: &str, base_domain: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    name == base_domain || is_below(base_domain, name)
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|labels| labels.ends_with('.') && labels.len() > 1)
}

/// Longest list of hosts that is indexed. Objects with longer lists are not served.
const MOST: usize = 256;

/// Index terms of an object with these hosts. [`overlap_terms`] of any overlapping host contains one of them.
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

/// Terms to look up to find everything that overlaps with `host`: the host, wildcards over it, and hosts that it
/// covers.
pub fn overlap_terms(host: &str) -> Vec<String> {
    let mut terms = vec![host.to_owned()];
    let name = host.strip_prefix("*.");
    terms.extend(parents(name.unwrap_or(host)).map(|parent| format!("*.{parent}")));
    if let Some(name) = name {
        terms.push(format!("below {name}"));
    }
    terms
}

/// The parent domains of a name.
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
    fn the_base_domain_and_its_parents_belong_to_all() {
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
