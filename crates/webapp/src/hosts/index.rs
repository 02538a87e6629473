//! Finds the applications whose hosts can overlap with a host, without a scan of all applications.
//!
//! Hosts are indexed as in the spec, because the Environment's base domain completes them. A lookup therefore has a term for
//! every form of an overlapping host; their number is the number of the host's labels.

use std::collections::BTreeSet;

use idp_api::WebApplication;

use crate::hosts::is_everybodys;

/// The index terms of an application: its hosts, and their parent domains.
pub(crate) fn index_terms(app: &WebApplication) -> Vec<String> {
    let hosts = app.spec.routes.iter().map(|route| route.host.as_str());
    let mut terms = BTreeSet::new();
    for host in hosts {
        terms.insert(exactly(host));
        terms.extend(parents(name(host)).map(below));
    }
    terms.into_iter().collect()
}

/// The terms that find every application with a host that overlaps with the complete `host`. None for a host of all
/// applications, which cannot be claimed.
pub(crate) fn lookups(host: &str, base_domain: &str) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    if base_domain.is_empty() || is_everybodys(host, base_domain) {
        return terms;
    }
    let mut written = |complete: &str| {
        terms.insert(exactly(complete));
        // The same without the base domain, if the spec may have it so.
        let short = complete
            .strip_suffix(base_domain)
            .and_then(|rest| rest.strip_suffix('.'))
            .filter(|short| !name(short).contains('.'));
        terms.extend(short.map(exactly));
    };
    written(host);
    for parent in parents(name(host)) {
        written(&format!("*.{parent}"));
    }
    if host.starts_with("*.") {
        // Hosts below a wildcard are complete in the spec: a name without dots is directly below the base domain.
        terms.insert(below(name(host)));
    }
    terms
}

fn exactly(host: &str) -> String {
    format!("={host}")
}

fn below(domain: &str) -> String {
    format!("<{domain}")
}

fn name(host: &str) -> &str {
    host.strip_prefix("*.").unwrap_or(host)
}

/// The parent domains of a name, nearest first.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.')).map(|(_, parent)| parent)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hosts::{complete_host, overlap};

    const BASE: &str = "apps.test";

    fn app(host: &str) -> WebApplication {
        let spec = serde_json::from_value(json!({"image": "a:1", "routes": [{"host": host}]}));
        WebApplication::new("shop", spec.unwrap())
    }

    fn finds(host: &str, other: &str) -> bool {
        let terms = index_terms(&app(other));
        lookups(host, BASE).iter().any(|term| terms.contains(term))
    }

    #[test]
    fn overlapping_hosts_are_found() {
        let names = [
            "shop",
            "a.shop",
            "b.a.shop",
            "shops",
            "x.org",
            "a.x.org",
            "b.a.x.org",
            "org",
        ];
        let mut hosts: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        hosts.extend(names.iter().map(|name| format!("*.{name}")));
        hosts.extend(names.iter().map(|name| format!("{name}.{BASE}")));
        hosts.extend(names.iter().map(|name| format!("*.{name}.{BASE}")));
        let (mut overlapping, mut found) = (0, 0);
        for host in &hosts {
            let host = complete_host(host, BASE);
            for other in &hosts {
                let does = overlap(&host, &complete_host(other, BASE));
                overlapping += usize::from(does);
                found += usize::from(finds(&host, other));
                assert!(!does || finds(&host, other), "{host} {other}");
            }
        }
        assert!(overlapping > 100, "{overlapping}");
        assert!(
            found < 2 * overlapping,
            "{found} found where {overlapping} overlap"
        );
    }

    #[test]
    fn hosts_that_do_not_overlap_are_not_found() {
        for (host, other) in [
            ("shop.apps.test", "shops"),
            ("shop.apps.test", "shop.org"),
            ("*.x.org", "y.org"),
            ("*.apps.test", "shop"),
        ] {
            assert!(!finds(host, other), "{host} {other}");
        }
        assert!(
            lookups("shop.", "").is_empty(),
            "without an Environment nothing is planned"
        );
    }
}
