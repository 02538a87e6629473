//! Host names, and who may have which.

mod host_claim;
mod index;
mod reservations;

use idp_api::WebApplication;
pub use idp_core::names::{is_everybodys, overlap};

pub(crate) use self::index::{index_terms, lookups};
pub use self::{
    host_claim::{Around, LabelsOf, application, taken},
    reservations::Reservations,
};

/// A host as it is known to clients: a name without dots (a wildcard's own does not count) is completed with the base
/// domain.
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
    // What a wildcard covers depends on its completion.
    [one, other].iter().any(|host| host.starts_with("*.")) || completes(one, other) || completes(other, one)
}

/// Whether it is a host name as `access.outbound` takes it: at least two labels of small letters, digits and `-`, with
/// or without `*.` before them.
pub fn is_complete_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |part: &str| {
        !part.is_empty() && part.bytes().all(inside) && !part.starts_with('-') && !part.ends_with('-')
    };
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
    fn what_the_mesh_would_refuse_is_no_host() {
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
