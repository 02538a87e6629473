//! Requests to the API server, built by hand where kube's `Api` would serialize or parse more than needed.

use std::time::Duration;

use idp_core::{Kind, ObjectKey, names::is_path_segment};
use kube::{
    Client, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, ValidationDirective},
    core::{
        DynamicObject, Status,
        request::{self, Request},
    },
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::object::reading::RawObject;

/// Longest that a request other than a watch may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The API server rejected it.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// There was no response, or none that can be read.
    #[error("{0}")]
    Unreachable(String),
}

impl ApiError {
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(status.code),
            Self::Unreachable(_) => None,
        }
    }
}

impl From<request::Error> for ApiError {
    fn from(error: request::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// A list of which only the items matter.
#[derive(serde::Deserialize)]
struct Items {
    items: Vec<RawObject>,
}

/// Sends requests for one field manager.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    manager: &'static str,
}

impl Api {
    pub(crate) fn new(client: Client, manager: &'static str) -> Self {
        Self { client, manager }
    }

    /// Server-side apply. Unknown fields are rejected rather than dropped.
    pub(crate) async fn apply(
        &self,
        kind: Kind,
        key: &ObjectKey,
        object: &Value,
    ) -> Result<DynamicObject, ApiError> {
        let params = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply(self.manager).force()
        };
        let request = one(kind, key)?.patch(&key.name, &params, &Patch::Apply(object))?;
        self.send(request).await.map(RawObject::dynamic)
    }

    /// Server-side apply without force by the second field manager, which holds fields that we give up.
    pub(crate) async fn hand_over(
        &self,
        kind: Kind,
        key: &ObjectKey,
        fields: &Value,
    ) -> Result<(), ApiError> {
        let params = PatchParams::apply(&format!("{}-handover", self.manager));
        let request = one(kind, key)?.patch(&key.name, &params, &Patch::Apply(fields))?;
        self.send::<IgnoredAny>(request).await.map(drop)
    }

    /// The object of this name, if it exists. By a list, which controllers may do anyway, so that none needs the
    /// right to `get`.
    pub(crate) async fn find(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        let params = ListParams::default().fields(&format!("metadata.name={}", key.name));
        let list: Items = self.send(one(kind, key)?.list(&params)?).await?;
        Ok(list.items.into_iter().next().map(RawObject::dynamic))
    }

    /// Deletes the object only if it has this UID; its dependents follow in the background.
    pub(crate) async fn delete(&self, kind: Kind, key: &ObjectKey, uid: &str) -> Result<(), ApiError> {
        self.delete_if(kind, key, uid, None).await
    }

    /// Deletes the object only if it has this UID and version.
    pub(crate) async fn delete_unchanged(
        &self,
        kind: Kind,
        key: &ObjectKey,
        uid: &str,
        version: &str,
    ) -> Result<(), ApiError> {
        self.delete_if(kind, key, uid, Some(version)).await
    }

    async fn delete_if(
        &self,
        kind: Kind,
        key: &ObjectKey,
        uid: &str,
        version: Option<&str>,
    ) -> Result<(), ApiError> {
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: version.map(str::to_owned),
        });
        let request = one(kind, key)?.delete(&key.name, &params)?;
        self.send::<IgnoredAny>(request).await.map(drop)
    }

    /// Sets annotations of the object only if it has the UID and version in `metadata`, by a separate field manager: they
    /// are not part of what is applied.
    pub(crate) async fn annotate(
        &self,
        kind: Kind,
        key: &ObjectKey,
        metadata: &Value,
    ) -> Result<DynamicObject, ApiError> {
        let params = manager(format!("{}-actions", self.manager));
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        self.send(one(kind, key)?.patch(&key.name, &params, &patch)?)
            .await
    }

    /// A JSON merge patch of the object.
    pub(crate) async fn merge<T: DeserializeOwned>(
        &self,
        kind: Kind,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<T, ApiError> {
        let params = manager(self.manager.to_owned());
        self.send(one(kind, key)?.patch(&key.name, &params, &Patch::Merge(patch))?)
            .await
    }

    /// A JSON merge patch of the object's status.
    pub(crate) async fn merge_status<T: DeserializeOwned>(
        &self,
        kind: Kind,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<T, ApiError> {
        let params = manager(self.manager.to_owned());
        let request =
            one(kind, key)?.patch_subresource("status", &key.name, &params, &Patch::Merge(patch))?;
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(&self, request: http::Request<Vec<u8>>) -> Result<T, ApiError> {
        match tokio::time::timeout(TIMEOUT, self.client.request::<T>(request)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(kube::Error::Api(status))) => Err(ApiError::Refused(status)),
            Ok(Err(error)) => Err(ApiError::Unreachable(error.to_string())),
            Err(_) => Err(ApiError::Unreachable(format!(
                "The API server did not respond within {} s.",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

fn manager(name: String) -> PatchParams {
    PatchParams {
        field_manager: Some(name),
        ..PatchParams::default()
    }
}

/// Requests about one object. Names may come from anyone: from a spec, or from the response of a capability. What is not a
/// valid name is not sent: escaped it would be rejected, and raw it would be another path.
fn one(kind: Kind, key: &ObjectKey) -> Result<Request, ApiError> {
    segment("name", &key.name)?;
    let namespace = match kind.namespaced {
        true => Some(segment("namespace", &key.namespace)?),
        false => None,
    };
    Ok(Request::new(DynamicObject::url_path(
        &kind.api_resource(),
        namespace,
    )))
}

/// A name as one segment of a path.
fn segment<'a>(what: &str, name: &'a str) -> Result<&'a str, ApiError> {
    if is_path_segment(name) {
        return Ok(name);
    }
    let status = Status {
        code: 422,
        reason: "Invalid".to_owned(),
        message: format!("metadata.{what} {name:?} is not a valid name; no request was sent."),
        ..Status::default()
    };
    Err(ApiError::Refused(Box::new(status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG_MAP: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
    const NODE: Kind = Kind::cluster("", "v1", "Node", "nodes");
    const CLAIM: Kind = Kind::namespaced("idp.dev", "v1alpha1", "ClaimBinding", "claimbindings");

    #[test]
    fn paths_of_objects() {
        let at =
            |kind, namespace: &str, name: &str| one(kind, &ObjectKey::new(namespace, name)).unwrap().url_path;
        assert_eq!(
            at(CONFIG_MAP, "shop", "a.b"),
            "/api/v1/namespaces/shop/configmaps"
        );
        assert_eq!(at(NODE, "", "n1"), "/api/v1/nodes");
        assert_eq!(
            at(CLAIM, "shop", "x"),
            "/apis/idp.dev/v1alpha1/namespaces/shop/claimbindings"
        );
        let key = ObjectKey::new("shop", "a.b");
        let request = one(CONFIG_MAP, &key).unwrap();
        let deletion = request.delete(&key.name, &DeleteParams::default()).unwrap();
        assert_eq!(deletion.uri().path(), "/api/v1/namespaces/shop/configmaps/a.b");
    }

    #[test]
    fn a_name_is_one_segment_or_nothing_is_sent() {
        for name in [
            "cc-y/../../../../sec-11/claimbindings/z",
            "cc-x?dryRun=All&a=",
            "..",
            ".",
            "",
            "a#b",
            "a%2e%2e",
            "a b",
            "a\u{0}",
        ] {
            for key in [ObjectKey::new("shop", name), ObjectKey::new(name, "x")] {
                let Err(ApiError::Refused(status)) = one(CLAIM, &key) else {
                    panic!("{key} is a path");
                };
                assert_eq!(status.code, 422);
            }
            assert!(one(NODE, &ObjectKey::new("", name)).is_err());
        }
    }
}
