//! Golden files, offline: each `tests/golden/cases/NAME.yaml` becomes exactly `tests/golden/expected/NAME.yaml`.
//!
//! Adding a case is adding a file; `IDP_UPDATE_GOLDEN=1 cargo test --test golden` writes what is expected, to be read
//! before it is committed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::fmt::Write as _;

use idp_api::{Environment, WebApplication};
use idp_testkit::golden::{cases, folder};
use idp_webapp::render::render;

#[test]
fn cases_become_what_is_expected() {
    let update = std::env::var_os("IDP_UPDATE_GOLDEN").is_some();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, app, environment) in cases() {
        seen += 1;
        let rendered = text(&app, &environment);
        let file = folder().join(format!("expected/{name}.yaml"));
        if update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &rendered).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if rendered != expected {
            let line = rendered
                .lines()
                .zip(expected.lines())
                .position(|(one, other)| one != other);
            wrong.push(format!(
                "{name}: differs from line {}",
                line.map_or("?".to_owned(), |n| (n + 1).to_string())
            ));
        }
    }
    assert!(seen >= 40, "only {seen} cases");
    assert!(
        wrong.is_empty(),
        "{}\nIDP_UPDATE_GOLDEN=1 writes what is rendered now",
        wrong.join("\n")
    );
}

#[test]
fn nothing_is_expected_without_a_case() {
    let known: Vec<String> = cases().into_iter().map(|(name, ..)| name).collect();
    for entry in std::fs::read_dir(folder().join("expected")).unwrap() {
        let name = entry
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert!(
            known.contains(&name),
            "tests/golden/expected/{name}.yaml has no case"
        );
    }
}

#[test]
fn rendering_is_deterministic() {
    for (name, app, environment) in cases() {
        assert_eq!(text(&app, &environment), text(&app, &environment), "{name}");
    }
}

/// Problems as comments, then the objects.
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
