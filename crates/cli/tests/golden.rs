//! Golden files of the sections that capabilities serve, offline: the output of `idp-cli render` for each
//! `tests/golden/supplied/cases/NAME.yaml` is exactly `tests/golden/supplied/expected/NAME.ENVIRONMENT.yaml`.
//!
//! Each case is rendered for the local Environment and for production, or for the Environment in its file.
//! `IDP_UPDATE_GOLDEN=1 cargo test -p idp-cli --test golden` writes the expected files. Read them before you commit.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::{fmt::Write as _, path::Path, process::Command};

use idp_api::Environment;
use idp_testkit::{
    golden::{check, files, load},
    root,
};

/// The files for production.
const PRODUCTION: [&str; 3] = [
    "platform/environments/production.yaml",
    "platform/claim-classes/production.yaml",
    "secrets/cert-manager/production/policies.yaml",
];

#[test]
fn cases_render_to_the_expected_objects() {
    let folder = root().join("tests/golden/supplied");
    let rendered = files(&folder).into_iter().flat_map(|(name, file)| {
        let own = load::<Environment>(&file, "Environment").pop();
        let targets = match own {
            Some(own) => vec![(own.metadata.name.unwrap(), &[][..])],
            None => vec![
                ("local".to_owned(), &[][..]),
                ("production".to_owned(), &PRODUCTION),
            ],
        };
        let render_for = move |(target, beside)| (format!("{name}.{target}"), render(&file, beside));
        targets.into_iter().map(render_for)
    });
    let seen = check(&folder, rendered);
    assert!(seen >= 16, "only {seen} cases");
}

#[test]
fn the_samples_render_without_errors() {
    for sample in ["minimal", "webapplication", "supplied", "data"] {
        let file = root().join(format!("applications/sample-web-app/{sample}.yaml"));
        let output = render(&file, &[]);
        assert!(
            output.contains("kind: Deployment") && !output.contains("# error"),
            "{output}"
        );
    }
}

/// Standard error of `render` as comments, then the objects.
fn render(file: &Path, beside: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-cli"));
    command.current_dir(root()).arg("render");
    command.arg(file.strip_prefix(root()).unwrap());
    for file in beside {
        command.args(["--environment", file]);
    }
    let output = command.output().unwrap();
    let mut text = String::new();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let _ = writeln!(text, "# {line}");
    }
    text + &String::from_utf8(output.stdout).unwrap()
}
