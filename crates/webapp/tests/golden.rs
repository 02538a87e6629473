//! Golden tests, offline: rendering `tests/golden/cases/NAME.yaml` must give exactly
//! `tests/golden/expected/NAME.yaml`.
//!
//! These run without capabilities; `crates/cli/tests/golden.rs` includes them. To add a case, add a file.
//! `IDP_UPDATE_GOLDEN=1 cargo test -p idp-webapp --test golden` writes the expected files; review them before you
//! commit.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::fmt::Write as _;

use idp_api::{Environment, WebApplication};
use idp_testkit::golden::{cases, check, folder};
use idp_webapp::render::render;

#[test]
fn cases_render_to_the_expected_objects() {
    let became = cases()
        .into_iter()
        .map(|(name, app, environment)| (name, text(&app, &environment)));
    let seen = check(&folder(), became);
    assert!(seen >= 40, "only {seen} cases");
}

#[test]
fn rendering_is_deterministic() {
    for (name, app, environment) in cases() {
        assert_eq!(text(&app, &environment), text(&app, &environment), "{name}");
    }
}

/// The problems as comments, then the objects.
fn text(app: &WebApplication, environment: &Environment) -> String {
    let (problems, children) = match render(app, environment) {
        Ok(plan) => (plan.problems, plan.children),
        Err(problems) => (problems, Vec::new()),
    };
    let mut text = String::new();
    for problem in problems {
        let severity = if problem.is_error() { "error" } else { "warning" };
        let _ = writeln!(text, "# {severity}: {problem}");
    }
    for child in children {
        let _ = write!(text, "---\n{}", serde_saphyr::to_string(&child.object).unwrap());
    }
    text
}
