//! The composition function that the Compositions call.
//!
//! Crossplane finds a function by its active FunctionRevision, whose status names the endpoint. In a real installation
//! the package manager pulls an image, runs it in pods and writes that status. Here `up` creates the objects, with the
//! annotation `paused`, so that a package manager does not change them.

use anyhow::{Context, Result};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::ports;
use super::setup::Setup;
use crate::build::modules::FUNCTION;
use crate::manifests::apply::FIELD_MANAGER;
use crate::process::daemon::Daemon;

/// The name of the function in Compositions, and of the process.
const NAME: &str = "function-patch-and-transform";
const REVISION: &str = "function-patch-and-transform-local";
/// Crossplane requires a name in this form, but nothing is pulled from it.
const PACKAGE: &str = "local.invalid/function-patch-and-transform:embedded";

pub(super) async fn start(setup: &mut Setup<'_>, certs: &str) -> Result<()> {
    if setup.runs(NAME) {
        return Ok(());
    }
    let address = format!("127.0.0.1:{}", setup.ports.port(ports::FUNCTION)?);
    setup.run(Daemon {
        name: NAME.to_owned(),
        program: setup.program(&FUNCTION)?,
        args: vec![format!("--address={address}"), format!("--tls-certs-dir={certs}")],
        env: vec![],
        netns: None,
        uses_proxy: false,
        endpoint: format!("grpcs://{address}"),
        health: Some(format!("tcp://{address}")),
    })?;
    setup
        .apply([
            object("Function", NAME, &json!({ "package": PACKAGE })),
            object(
                "FunctionRevision",
                REVISION,
                &json!({ "desiredState": "Active", "image": PACKAGE, "revision": 1 }),
            ),
        ])
        .await?;
    publish(&setup.client, &address).await
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": { "pkg.crossplane.io/package": NAME },
            "annotations": { "crossplane.io/paused": "true" },
        },
        "spec": spec,
    })
}

/// Writes the function's address and capabilities into the status of its revision.
async fn publish(client: &kube::Client, address: &str) -> Result<()> {
    let kind = GroupVersionKind::gvk("pkg.crossplane.io", "v1", "FunctionRevision");
    let revisions = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let status = json!({ "status": { "endpoint": address, "capabilities": ["composition"] } });
    revisions
        .patch_status(
            REVISION,
            &PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            },
            &Patch::Merge(status),
        )
        .await
        .with_context(|| format!("telling Crossplane where {NAME} listens"))?;
    Ok(())
}
