//! The section, read: one item for each thing that is wanted.

use idp_api::web_application::{Database, Storage};
use idp_core::{Problem, capability::SectionRequest, hash};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{offer::LONGEST, reason};

/// The section: `databases` and `storage` of a WebApplication.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Section {
    /// Databases, caches and queues.
    #[serde(default)]
    pub databases: Vec<Database>,
    /// Buckets and volumes.
    #[serde(default)]
    pub storage: Option<Storage>,
}

/// One thing that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Name within the application.
    pub(super) name: String,
    /// Where it is written.
    pub(super) path: String,
    pub(super) engine: String,
    /// Name of its binding, and of its claim.
    pub(super) binding: String,
    pub(super) version: Option<String>,
    pub(super) size: Option<String>,
    pub(super) versioned: bool,
    /// Of a volume: the directory in the container.
    pub(super) mount_path: Option<String>,
}

/// What serves buckets, in the Environment's words.
const BUCKET: &str = "bucket";
/// What serves volumes, in the Environment's words.
const VOLUME: &str = "volume";

/// Everything that the section wants, in its order: of two that do not both fit a quota, the first gets it.
pub(super) fn items(request: &SectionRequest) -> Result<Vec<Item>, Problem> {
    let section = Section::deserialize(&request.section).map_err(|error| {
        Problem::error(
            reason::INVALID,
            format!("databases and storage do not parse: {error}"),
        )
        .at(request.path.clone())
        .hint("the controllers of the platform differ in version: update the claim broker")
    })?;
    let (application, path) = (&request.application, &request.path);
    let mut items: Vec<Item> = Vec::new();
    for (index, database) in section.databases.into_iter().enumerate() {
        items.push(Item {
            path: format!("{path}.databases[{index}]"),
            binding: hash::bounded_name(application, &database.name, LONGEST),
            name: database.name,
            engine: database.engine,
            version: database.version,
            size: database.size,
            versioned: false,
            mount_path: None,
        });
    }
    let storage = section.storage.unwrap_or_default();
    for (index, bucket) in storage.buckets.into_iter().enumerate() {
        items.push(Item {
            path: format!("{path}.storage.buckets[{index}]"),
            binding: hash::bounded_name(application, &format!("{}-{BUCKET}", bucket.name), LONGEST),
            name: bucket.name,
            engine: BUCKET.to_owned(),
            version: None,
            size: None,
            versioned: bucket.versioned,
            mount_path: None,
        });
    }
    for (index, volume) in storage.volumes.into_iter().enumerate() {
        items.push(Item {
            path: format!("{path}.storage.volumes[{index}]"),
            binding: hash::bounded_name(application, &format!("{}-{VOLUME}", volume.name), LONGEST),
            name: volume.name,
            engine: VOLUME.to_owned(),
            version: None,
            size: Some(volume.size.0),
            versioned: false,
            mount_path: Some(volume.mount_path),
        });
    }
    Ok(items)
}

impl Item {
    pub(super) fn is_volume(&self) -> bool {
        self.mount_path.is_some()
    }
}

/// JSON schema of the section.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(Section).to_value()
}
