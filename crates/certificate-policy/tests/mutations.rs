//! Mutated requests: none makes the parser panic or exceeds the time limit, and none gets a name that no policy allows.
//! `IDP_MUTATIONS` sets their number (the promise is 1000000, which takes half a minute).

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::time::{Duration, Instant};

use idp_certificate_policy::certificate_request::csr;

#[path = "build/mod.rs"]
mod build;

use build::Build;

/// The time limit of one request.
const LIMIT: Duration = Duration::from_millis(10);
/// The default number of requests: half a minute, even in a debug build.
const DEFAULT: u64 = 1_000_000;

/// A deterministic random number generator: the number of a failed request reproduces the failure.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        // Bytes with a meaning in DER are more frequent.
        const TELLING: [u8; 16] = [
            0, 1, 2, 3, 4, 6, 0x0c, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0xa0, 0xff, b'*',
        ];
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            self.next().to_le_bytes()[0]
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(7) {
            0 | 1 if !bytes.is_empty() => bytes[at] = numbers.byte(),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            3 => bytes.insert(at.min(bytes.len()), numbers.byte()),
            4 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            5 => bytes.truncate(at),
            _ => {
                let end = (at + numbers.below(64)).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let hundred: Vec<String> = (0..100).map(|n| format!("n{n}.example.com")).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let mut all_kinds = Build::new(&["shop.example.com", "xn--bcher-kva.example.com"])
        .common_name("shop.example.com")
        .extension(build::KEY_USAGE, &build::server_usage())
        .extension(build::EXTENDED_KEY_USAGE, &build::purpose(1))
        .extension(build::BASIC_CONSTRAINTS, &build::ca());
    all_kinds.names.push(build::ip(&[10, 0, 0, 1]));
    all_kinds.names.push(build::uri("spiffe://idp.dev/ns/a/sa/b"));
    let mut rsa = Build::new(&["a.b"]);
    rsa.key = build::rsa(4096, &[1, 0, 1]);
    let mut ed25519 = Build::new(&["a.b"]);
    ed25519.key = build::ed25519();
    [
        Build::new(&["a.b"]),
        all_kinds,
        rsa,
        ed25519,
        Build::new(&hundred),
    ]
    .iter()
    .map(Build::der)
    .collect()
}

#[test]
fn no_request_makes_the_parser_panic_or_exceeds_the_time_limit() {
    let count: u64 = std::env::var("IDP_MUTATIONS")
        .map_or(DEFAULT, |count| count.parse().expect("IDP_MUTATIONS is a number"));
    let seeds = seeds();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut slowest) = (0_u64, Duration::ZERO);
    for number in 0..count {
        let mut bytes = seeds[numbers.below(seeds.len())].clone();
        // Half of the mutations change the DER, a quarter the PEM text, a quarter both.
        let kind = numbers.below(4);
        if kind != 0 {
            mutate(&mut bytes, &mut numbers);
        }
        let once = |bytes: &[u8]| {
            let began = Instant::now();
            let outcome = if kind == 1 || kind == 2 {
                csr::read_der(bytes)
            } else {
                csr::read(bytes)
            };
            (outcome, began.elapsed())
        };
        if kind == 0 || kind == 3 {
            bytes = build::pem(&bytes).into_bytes();
            mutate(&mut bytes, &mut numbers);
        }
        let (mut outcome, mut took) = once(&bytes);
        if took > LIMIT {
            // The machine may have been busy; a really slow request is slow every time.
            (outcome, took) = (0..5)
                .map(|_| once(&bytes))
                .min_by_key(|(_, took)| *took)
                .unwrap();
        }
        assert!(took <= LIMIT, "request {number} took {took:?}");
        slowest = slowest.max(took);
        if let Ok(csr) = outcome {
            read += 1;
            assert!(csr.names.count() <= 100);
        }
    }
    eprintln!("{count} requests; {read} can still be parsed; the slowest took {slowest:?}");
    assert!(read > 0 && read < count);
}
