//! The migration and its state.

use idp_api::web_application::Migration;
use idp_core::{Problem, hash};

use crate::{facts::MigrationState, observe::Observed, reasons, validate::ValidMigration};

/// The migration for `image`. Its Job is named after the image, so each image has one run.
pub(super) fn migration(
    written: Option<&Migration>,
    application: &str,
    image: &str,
    observed: &Observed,
) -> Option<ValidMigration> {
    let spec = written?.clone();
    let job = hash::bounded_name(application, &format!("migrate-{}", &hash::text(image)[..8]), 63);
    let state = observed.migrations.get(&job);
    Some(ValidMigration {
        exists: state.is_some(),
        done: observed.assume_settled || state == Some(&MigrationState::Succeeded),
        failure: match state {
            Some(MigrationState::Failed(why)) => Some(why.clone()),
            _ => None,
        },
        spec,
        job,
    })
}

/// The problem of a failed migration. It is an error, but the application is still planned: everything except the pods of
/// the new image is applied.
pub(super) fn failure(migration: &ValidMigration, image: &str) -> Option<Problem> {
    let why = migration.failure.as_ref()?;
    let job = &migration.job;
    let message = format!(
        "The migration of image {image} failed, so its pods are not started: {}.",
        why.trim_end_matches('.')
    );
    Some(Problem::error(reasons::MIGRATION_FAILED, message).at("spec.migration").hint(format!(
        "Run kubectl logs job/{job}. Then deploy a fixed image, or run kubectl delete job {job} to try again."
    )))
}
