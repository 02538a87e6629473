//! The platform's manifests and controllers for a cluster that `up` starts.

use std::path::Path;

use anyhow::Result;
use idp_cluster::{Addon, Controller, Manifest};

macro_rules! manifests {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../", $file)))),*]
    };
}

/// A file of the repository: its path and content.
type File = (&'static str, &'static str);

/// One of the platform's controllers.
struct Part {
    name: &'static str,
    /// Name of the capability that it serves, if any.
    capability: Option<&'static str>,
    /// The add-on that it requires. It does not run with a cluster without it.
    needs: Option<fn(Addon) -> bool>,
    /// Manifests that it requires in the cluster.
    manifests: &'static [File],
}

const PARTS: &[Part] = &[
    Part {
        name: "idp-webapp",
        capability: None,
        needs: None,
        manifests: manifests!["platform/operators/idp-webapp/rbac.yaml"],
    },
    Part {
        name: "idp-secrets-bridge",
        capability: Some("secrets"),
        needs: Some(|addon| addon == Addon::ExternalSecrets),
        manifests: manifests!["platform/operators/idp-secrets-bridge/rbac.yaml"],
    },
    Part {
        name: "idp-certificate-policy",
        capability: Some("certificates"),
        needs: Some(|addon| addon == Addon::CertManager),
        manifests: manifests![
            "platform/operators/idp-certificate-policy/rbac.yaml",
            "platform/operators/idp-certificate-policy/alerts.yaml",
        ],
    },
    Part {
        name: "idp-claim-broker",
        capability: Some("claims"),
        needs: Some(|addon| addon == Addon::Crossplane),
        manifests: manifests!["platform/operators/idp-claim-broker/rbac.yaml"],
    },
];

/// Roles of people, and policies for all pods.
const ACCESS: &[File] = manifests![
    "platform/admission/pods.yaml",
    "platform/access/operators.yaml",
    "platform/access/readers.yaml",
    "platform/access/tenants.yaml",
];

/// The local Environment.
const LOCAL: &[File] = manifests!["platform/environments/local.yaml"];
/// Policies for operators of other projects.
const ADMISSION: &[File] = manifests![
    "platform/admission/external-secrets.yaml",
    "platform/admission/secrets.yaml",
];
/// The secret store of the local Environment.
const LOCAL_STORE: &[File] = manifests!["secrets/external-secrets/local.yaml"];

/// The issuers and policies of the local Environment.
const LOCAL_CERTIFICATES: &[File] = manifests![
    "secrets/cert-manager/local/issuers.yaml",
    "secrets/cert-manager/local/policies.yaml",
    "platform/admission/certificates.yaml",
    "platform/admission/hosts.yaml",
];

/// The definitions and Compositions of databases, and the classes that the local Environment offers.
const LOCAL_CLAIMS: &[File] = manifests![
    "platform/compositions/definitions/bucket.yaml",
    "platform/compositions/definitions/mysql.yaml",
    "platform/compositions/definitions/postgres.yaml",
    "platform/compositions/definitions/queue.yaml",
    "platform/compositions/definitions/redis.yaml",
    "infrastructure/crossplane/compositions/local/mysql.yaml",
    "infrastructure/crossplane/compositions/local/postgres.yaml",
    "infrastructure/crossplane/compositions/local/redis.yaml",
    "platform/claim-classes/local.yaml",
    "platform/admission/claims.yaml",
];

/// All manifests that a cluster requires before controllers start.
pub(crate) fn manifests(addons: &[Addon]) -> Result<Vec<Manifest>> {
    let definitions = idp_api::generated::files().map_err(|error| anyhow::anyhow!("{error}"))?;
    let manifest = |source: &str, text: &str| Manifest {
        source: source.to_owned(),
        text: text.to_owned(),
    };
    let mut manifests: Vec<Manifest> = definitions
        .iter()
        .map(|(source, text)| manifest(source, text))
        .collect();
    let has = |addon: Addon| addons.contains(&addon);
    let local = [
        (true, ACCESS),
        (true, LOCAL),
        (true, ADMISSION),
        (has(Addon::LocalStack) && has(Addon::ExternalSecrets), LOCAL_STORE),
        (has(Addon::CertManager), LOCAL_CERTIFICATES),
        (has(Addon::Crossplane), LOCAL_CLAIMS),
    ];
    let local = local
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .flat_map(|(_, files)| files);
    let files = PARTS.iter().flat_map(|part| part.manifests).chain(local);
    manifests.extend(files.map(|(source, text)| manifest(source, text)));
    Ok(manifests)
}

/// The controllers that work with these add-ons, those that serve capabilities first. Their programs are in `folder`.
pub(crate) fn controllers(addons: &[Addon], folder: &Path) -> Vec<Controller> {
    PARTS
        .iter()
        .filter(|part| {
            part.needs
                .is_none_or(|needs| addons.iter().any(|addon| needs(*addon)))
        })
        .map(|part| Controller {
            name: part.name,
            program: folder.join(part.name),
            capability: part.capability,
        })
        .collect()
}
