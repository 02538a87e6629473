//! Waiting until the API server serves the resources of new CRDs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::parse::Sourced;
use super::refusal;

/// How long the API server may take to serve a new CRD.
const ESTABLISH: Duration = Duration::from_secs(60);

/// A resource of an applied CRD: the API server must serve it before objects of it can be applied.
pub(super) struct Defined {
    group_version: String,
    plural: String,
}

/// The served versions of a CRD.
pub(super) fn served(definition: &Sourced) -> Vec<Defined> {
    let versions = definition
        .object
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    let versions = versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true);
    versions
        .filter_map(|version| {
            Some(Defined {
                group_version: format!(
                    "{}/{}",
                    definition.field("/spec/group"),
                    version["name"].as_str()?
                ),
                plural: definition.field("/spec/names/plural").to_owned(),
            })
        })
        .collect()
}

/// Waits until discovery lists all resources. Discovery needs one small request for each group and version; reading the
/// CRDs' conditions would transfer megabytes and slow down the API server.
pub(super) async fn wait_served(client: &kube::Client, defined: &[Defined]) -> Result<()> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in defined {
        groups.entry(&one.group_version).or_default().insert(&one.plural);
    }
    let deadline = tokio::time::Instant::now() + ESTABLISH;
    for (group_version, mut missing) in groups {
        loop {
            match client.list_api_group_resources(group_version).await {
                Ok(listed) => listed.resources.iter().for_each(|resource| {
                    missing.remove(resource.name.as_str());
                }),
                // The group is new too.
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 503 => {}
                Err(error) => return Err(refusal(error)),
            }
            if missing.is_empty() {
                break;
            }
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "The API server does not serve {} of {group_version} after {} s.",
                    missing.into_iter().collect::<Vec<_>>().join(", "),
                    ESTABLISH.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
