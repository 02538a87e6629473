//! `cargo +nightly fuzz run request`: bytes as a request, and as the text around one.
#![no_main]

use idp_certificate_policy::certificate_request::csr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = csr::read(bytes);
    if let Ok(csr) = csr::read_der(bytes) {
        assert!(csr.names.count() <= 100);
    }
});
