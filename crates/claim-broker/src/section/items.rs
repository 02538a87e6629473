//! The section as a list of items: one for each database, bucket and volume.

use idp_api::{
    ClaimBindingSpec,
    web_application::{Database, Storage},
};
use idp_core::{
    Problem,
    capability::{Binding, SectionRequest},
    hash,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{class_template::MAX_OBJECT_NAME, reasons};

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

/// A database, bucket or volume.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Name within the application.
    pub(super) name: String,
    /// Its path in the application.
    pub(super) path: String,
    pub(super) engine: String,
    /// Name of its binding and of its claim.
    pub(super) binding: String,
    pub(super) version: Option<String>,
    pub(super) size: Option<String>,
    pub(super) versioned: bool,
    /// The directory in the container; volumes only.
    pub(super) mount_path: Option<String>,
}

/// The engine of buckets, as the Environment names it.
const BUCKET: &str = "bucket";
/// The engine of volumes, as the Environment names it.
const VOLUME: &str = "volume";

/// Every item of the section, in its order: if not all fit a quota, the first ones do.
pub(super) fn items(request: &SectionRequest) -> Result<Vec<Item>, Problem> {
    let section = Section::deserialize(&request.section).map_err(|error| {
        Problem::error(
            reasons::INVALID,
            format!("The fields databases and storage cannot be read: {error}."),
        )
        .at(request.path.clone())
        .hint("Ask the platform team to deploy idp-webapp and idp-claim-broker of the same release.")
    })?;
    let (application, path) = (&request.application, &request.path);
    let mut items: Vec<Item> = Vec::new();
    for (index, database) in section.databases.into_iter().enumerate() {
        items.push(Item {
            path: format!("{path}.databases[{index}]"),
            binding: hash::bounded_name(application, &database.name, MAX_OBJECT_NAME),
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
            binding: hash::bounded_name(application, &format!("{}-{BUCKET}", bucket.name), MAX_OBJECT_NAME),
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
            binding: hash::bounded_name(application, &format!("{}-{VOLUME}", volume.name), MAX_OBJECT_NAME),
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

/// The binding of an item.
pub(super) fn binding(name: &str, spec: &ClaimBindingSpec) -> Binding {
    Binding {
        kind: idp_api::kinds::CLAIM_BINDING.kind.to_owned(),
        name: name.to_owned(),
        spec: serde_json::to_value(spec).unwrap_or(Value::Null),
    }
}

impl Item {
    pub(super) fn is_volume(&self) -> bool {
        self.mount_path.is_some()
    }
}

/// JSON schema of the section.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Section).to_value()
}
