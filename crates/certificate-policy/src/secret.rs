//! Names of Secrets: one for each host, whichever binding lists it.

use idp_core::hash;

/// Characters of the host in the name. With hash and suffix the name is still a DNS label, which some readers require.
const HOST_CHARS: usize = 42;

/// Name of the Secret of `host`, and of its Certificate. It is derived from the host alone, so that two bindings cannot
/// create two certificates for one host, and ends in `-tls`, as policies require by default.
pub fn name(host: &str) -> String {
    let readable: String = host
        .chars()
        .take(HOST_CHARS)
        .map(|c| match c {
            '*' => 'w',
            '.' => '-',
            other => other,
        })
        .collect();
    format!("{}-{}-tls", readable.trim_matches('-'), hash::text(host))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_labels_and_distinct() {
        let shop = name("shop.example.com");
        assert!(
            shop.starts_with("shop-example-com-") && shop.ends_with("-tls"),
            "{shop}"
        );
        assert_ne!(name("a-b.c"), name("a.b-c"));
        assert!(name("*.example.com").starts_with("w-example-com-"));
        let long = format!("{}.example.com", "a".repeat(63));
        assert!(
            name(&long).len() <= 63 && name(&long).ends_with("-tls"),
            "{}",
            name(&long)
        );
    }
}
