//! The contracts against what has been released of them: peers are of different versions, and must go on understanding
//! each other.
//!
//! `released/` holds what the released contracts say, one line a fact, so that a review sees what changes. After an
//! addition, write it anew and commit it with the proto files:
//!
//! ```text
//! IDP_UPDATE_RELEASED=1 cargo test -p idp-rpc --test compatibility
//! ```
//!
//! That refuses to write over a change that breaks what is released: such a change needs a package of its own, `v2`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod breaks;
mod facts;

use std::{fs, path::PathBuf};

use facts::Facts;

/// Released packages, and their files.
const PACKAGE: &str = "idp.capability.v1";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("released/{PACKAGE}.txt"))
}

#[test]
fn the_released_contract_still_holds() {
    let now = Facts::of(idp_rpc::DESCRIPTORS, PACKAGE);
    let update = std::env::var_os("IDP_UPDATE_RELEASED").is_some();
    let released = match fs::read_to_string(file()) {
        Ok(text) => Facts::parse(&text),
        Err(_) if update => Facts::default(),
        Err(error) => panic!("{}: {error}", file().display()),
    };
    let breaks = released.broken_by(&now);
    assert!(
        breaks.is_empty(),
        "peers of the released version would not understand this:\n{}",
        breaks.join("\n")
    );
    if update {
        fs::write(file(), now.to_string()).unwrap();
        return;
    }
    let added = now.not_in(&released);
    assert!(
        added.is_empty(),
        "not released yet; run with IDP_UPDATE_RELEASED=1, and read the difference:\n{}",
        added.join("\n")
    );
}
