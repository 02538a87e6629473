//! Host names.

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

#[cfg(test)]
mod tests {
    use super::complete_host;

    #[test]
    fn names_without_dots_are_completed() {
        assert_eq!(complete_host("shop", "example.com"), "shop.example.com");
        assert_eq!(complete_host("*.shop", "example.com"), "*.shop.example.com");
        assert_eq!(
            complete_host("shop.example.org", "example.com"),
            "shop.example.org"
        );
    }
}
