//! Golden files of what capabilities supply, offline: `idp-cli render` makes of each
//! `tests/golden/supplied/cases/NAME.yaml` exactly `tests/golden/supplied/expected/NAME.ENVIRONMENT.yaml`.
//!
//! A case is rendered as it is, which is for the local Environment, and for production; one that brings an Environment
//! only for that. `IDP_UPDATE_GOLDEN=1 cargo test -p idp-cli --test golden` writes what is expected, to be read before
//! it is committed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::{fmt::Write as _, path::Path, process::Command};

use idp_api::Environment;
use idp_testkit::{
    golden::{check, files, load},
    root,
};

/// What is expected of production, by its files.
const PRODUCTION: [&str; 3] = [
    "platform/environments/production.yaml",
    "platform/claim-classes/production.yaml",
    "secrets/cert-manager/production/policies.yaml",
];

#[test]
fn cases_become_what_is_expected() {
    let folder = root().join("tests/golden/supplied");
    let became = files(&folder).into_iter().flat_map(|(name, file)| {
        let own = load::<Environment>(&file, "Environment").pop();
        let targets = match own {
            Some(own) => vec![(own.metadata.name.unwrap(), &[][..])],
            None => vec![
                ("local".to_owned(), &[][..]),
                ("production".to_owned(), &PRODUCTION),
            ],
        };
        let become_of = move |(target, beside)| (format!("{name}.{target}"), render(&file, beside));
        targets.into_iter().map(become_of)
    });
    let seen = check(&folder, became);
    assert!(seen >= 16, "only {seen} cases");
}

#[test]
fn the_samples_work_as_they_are_shown() {
    for sample in ["minimal", "webapplication", "supplied", "data"] {
        let file = root().join(format!("applications/sample-web-app/{sample}.yaml"));
        let said = render(&file, &[]);
        assert!(
            said.contains("kind: Deployment") && !said.contains("# error"),
            "{said}"
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
