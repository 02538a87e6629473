//! Host names, and which application may claim which host.

mod host_claim;
mod index;
mod reservations;

use idp_api::WebApplication;
use idp_core::names::is_label;
pub use idp_core::names::{is_everybodys, overlap};

pub(crate) use self::index::{index_terms, lookups};
pub use self::{
    host_claim::{HostClaims, LabelsOf, application, claimed_by_others},
    reservations::Reservations,
};

/// The complete host name: a name without dots (not counting a wildcard's) gets the base domain.
pub fn complete_host(host: &str, base_domain: &str) -> String {
    let name = host.strip_prefix("*.").unwrap_or(host);
    if name.contains('.') {
        host.to_owned()
    } else {
        format!("{host}.{base_domain}")
    }
}

/// Complete hosts of an application's routes.
pub fn of(app: &WebApplication, base_domain: &str) -> impl Iterator<Item = String> {
    let routes = app.spec.routes.iter();
    routes.map(move |route| complete_host(&route.host, base_domain))
}

/// Whether two hosts can overlap once they are complete, whatever the base domain.
pub fn may_overlap(one: &str, other: &str) -> bool {
    let completes = |short: &str, long: &str| {
        let rest = long.strip_prefix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // The hosts that a wildcard covers depend on its completion.
    [one, other].iter().any(|host| host.starts_with("*.")) || completes(one, other) || completes(other, one)
}

/// Whether `host` is a host name as `access.outbound` takes it: at least two DNS labels, with or without `*.` before
/// them.
pub fn is_complete_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_dots_are_completed() {
        assert_eq!(complete_host("shop", "example.com"), "shop.example.com");
        assert_eq!(complete_host("*.shop", "example.com"), "*.shop.example.com");
        assert_eq!(
            complete_host("shop.example.org", "example.com"),
            "shop.example.org"
        );
    }

    #[test]
    fn a_name_may_be_its_completed_self_and_nothing_else() {
        for (one, other) in [
            ("shop", "shop"),
            ("shop", "shop.example.com"),
            ("*.shop.example.com", "*.shop"),
            ("*.shop", "a.shop.example.com"),
        ] {
            assert!(may_overlap(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("shop", "shops"),
            ("shop", "shops.example.com"),
            ("example.com", "shop.example.com"),
        ] {
            assert!(!may_overlap(one, other), "{one} {other}");
        }
    }

    #[test]
    fn hosts_that_the_mesh_rejects_are_invalid() {
        for host in ["api.example.com", "*.example.com", "1.x-y.z"] {
            assert!(is_complete_host(host), "{host}");
        }
        for host in [
            "", "api", "*", "*.", "a..b", "A.b", "-a.b", "a-.b", "a.b/c", "a.*.b", "a.b.",
        ] {
            assert!(!is_complete_host(host), "{host}");
        }
    }
}
