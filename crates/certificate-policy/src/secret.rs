//! Names of Secrets: one for each host, the same for whoever asks.

use idp_core::hash;

/// How much of the host stands in the name: with hash and ending it is a DNS label, as some that read it want.
const READABLE: usize = 42;

/// Name of the Secret of `host`, and of the Certificate that fills it. It follows from the host alone, so that two
/// bindings cannot make two certificates of one host, and it ends in `-tls`, as policies expect.
pub fn name(host: &str) -> String {
    let readable: String = host
        .chars()
        .take(READABLE)
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
