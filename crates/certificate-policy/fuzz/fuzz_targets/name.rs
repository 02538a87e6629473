//! `cargo +nightly fuzz run name`: a pattern and a name, of which no wildcard is granted but by name.
#![no_main]

use idp_certificate_policy::uri::normal_uri;
use idp_core::names::{DnsName, DnsPattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (pattern, name) = texts;
    let _ = normal_uri(name);
    let Ok(found) = DnsName::parse(name) else { return };
    assert_eq!(DnsName::parse(&found.to_string()).as_ref(), Ok(&found));
    for read in [DnsPattern::below(pattern), DnsPattern::labels(pattern)].into_iter().flatten() {
        assert!(!(read.allows(&found) && found.is_wildcard()));
    }
});
