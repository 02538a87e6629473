//! The migration and how far it is.

use idp_api::web_application::Migration;
use idp_core::{Problem, hash};

use crate::{facts::MigrationState, observe::Observed, reasons, validate::ValidMigration};

/// The migration for `image`. Its Job is named after the image: another image is another run.
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

/// What a failed migration is reported as. It is an error, and yet no reason to have no plan: everything but the
/// pods of the new image goes on.
pub(super) fn failure(migration: &ValidMigration, image: &str) -> Option<Problem> {
    let why = migration.failure.as_ref()?;
    let job = &migration.job;
    let message = format!("the migration of image {image} failed, so its pods are not started: {why}");
    Some(Problem::error(reasons::MIGRATION_FAILED, message).at("spec.migration").hint(format!(
        "read kubectl logs job/{job}; then write an image with the fix, or kubectl delete job {job} to run it again"
    )))
}
