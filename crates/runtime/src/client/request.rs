//! Requests to the API server, built by hand where kube's `Api` would serialise or parse more than needed.

use std::time::Duration;

use http::{Method, Request, header};
use idp_core::{Kind, ObjectKey, names::is_path_segment};
use kube::{
    Client,
    core::{DynamicObject, Status},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::object::reading::RawObject;

/// Longest that a request other than a watch may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The API server said no.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// There was no answer, or none that can be read.
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

/// A list of which only the items matter.
#[derive(serde::Deserialize)]
struct Found {
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

    /// Server-side apply. Unknown fields are refused rather than dropped.
    pub(crate) async fn apply(
        &self,
        kind: Kind,
        key: &ObjectKey,
        object: &Value,
    ) -> Result<DynamicObject, ApiError> {
        let query = format!("?fieldManager={}&force=true&fieldValidation=Strict", self.manager);
        let uri = path(kind, key, &query)?;
        let body = serialize(object)?;
        let answer: Result<RawObject, _> = self
            .send(Method::PATCH, uri, "application/apply-patch+yaml", body)
            .await;
        answer.map(RawObject::dynamic)
    }

    /// Server-side apply without force in the name of a second manager, which holds fields that we give up.
    pub(crate) async fn hand_over(
        &self,
        kind: Kind,
        key: &ObjectKey,
        fields: &Value,
    ) -> Result<(), ApiError> {
        let uri = path(kind, key, &format!("?fieldManager={}-handover", self.manager))?;
        let _: serde::de::IgnoredAny = self
            .send(
                Method::PATCH,
                uri,
                "application/apply-patch+yaml",
                serialize(fields)?,
            )
            .await?;
        Ok(())
    }

    /// The object of this name, if there is one. By a list, which controllers may do anyway, so that none needs the
    /// right to `get`.
    pub(crate) async fn find(&self, kind: Kind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        let query = format!("?fieldSelector=metadata.name%3D{}", segment("name", &key.name)?);
        let uri = folder(kind, key)? + &query;
        let list: Found = self
            .send(Method::GET, uri, "application/json", Vec::new())
            .await?;
        Ok(list.items.into_iter().next().map(RawObject::dynamic))
    }

    /// Deletes exactly the object with this UID; its dependents follow in the background.
    pub(crate) async fn delete(&self, kind: Kind, key: &ObjectKey, uid: &str) -> Result<(), ApiError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": { "uid": uid },
        });
        let body = serialize(&options)?;
        let _: serde::de::IgnoredAny = self
            .send(Method::DELETE, path(kind, key, "")?, "application/json", body)
            .await?;
        Ok(())
    }

    /// Sets annotations of exactly the object with this UID and version, in the name of a manager of its own: they are no
    /// part of what is applied.
    pub(crate) async fn annotate(
        &self,
        kind: Kind,
        key: &ObjectKey,
        metadata: &Value,
    ) -> Result<DynamicObject, ApiError> {
        let uri = path(kind, key, &format!("?fieldManager={}-actions", self.manager))?;
        let patch = serialize(&json!({ "metadata": metadata }))?;
        self.send(Method::PATCH, uri, "application/merge-patch+json", patch)
            .await
    }

    /// Deletes exactly the object with this UID as it was at this version.
    pub(crate) async fn delete_unchanged(
        &self,
        kind: Kind,
        key: &ObjectKey,
        uid: &str,
        version: &str,
    ) -> Result<(), ApiError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": { "uid": uid, "resourceVersion": version },
        });
        let _: serde::de::IgnoredAny = self
            .send(
                Method::DELETE,
                path(kind, key, "")?,
                "application/json",
                serialize(&options)?,
            )
            .await?;
        Ok(())
    }

    /// A JSON merge patch of the object, or of its status with `subresource` `/status`.
    pub(crate) async fn merge<T: DeserializeOwned>(
        &self,
        kind: Kind,
        key: &ObjectKey,
        subresource: &str,
        patch: &Value,
    ) -> Result<T, ApiError> {
        let uri = path(kind, key, &format!("{subresource}?fieldManager={}", self.manager))?;
        self.send(
            Method::PATCH,
            uri,
            "application/merge-patch+json",
            serialize(patch)?,
        )
        .await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        uri: String,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<T, ApiError> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, content_type)
            .body(body)
            .map_err(|error| ApiError::Unreachable(error.to_string()))?;
        match tokio::time::timeout(TIMEOUT, self.client.request::<T>(request)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(kube::Error::Api(status))) => Err(ApiError::Refused(status)),
            Ok(Err(error)) => Err(ApiError::Unreachable(error.to_string())),
            Err(_) => Err(ApiError::Unreachable(format!(
                "no answer within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

fn serialize(value: &Value) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| ApiError::Unreachable(error.to_string()))
}

/// The path of an object, and what follows it. Names may come from anybody: from a spec, or from what a capability answers.
/// One that is no name reaches nobody: escaped it could only be refused, and raw it would name something else.
fn path(kind: Kind, key: &ObjectKey, rest: &str) -> Result<String, ApiError> {
    Ok(format!(
        "{}/{}{rest}",
        folder(kind, key)?,
        segment("name", &key.name)?
    ))
}

/// The path of all objects of a kind, in the key's namespace where the kind has them.
fn folder(kind: Kind, key: &ObjectKey) -> Result<String, ApiError> {
    let root = if kind.group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}", kind.api_version())
    };
    if !kind.namespaced {
        return Ok(format!("{root}/{}", kind.plural));
    }
    let namespace = segment("namespace", &key.namespace)?;
    Ok(format!("{root}/namespaces/{namespace}/{}", kind.plural))
}

/// A name as one segment of a path.
fn segment<'a>(what: &str, name: &'a str) -> Result<&'a str, ApiError> {
    if is_path_segment(name) {
        return Ok(name);
    }
    let status = Status {
        code: 422,
        reason: "Invalid".to_owned(),
        message: format!("metadata.{what} {name:?} is no name of an object: nothing was sent"),
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
            |kind, namespace: &str, name: &str| path(kind, &ObjectKey::new(namespace, name), "?a=b").unwrap();
        assert_eq!(
            at(CONFIG_MAP, "shop", "a.b"),
            "/api/v1/namespaces/shop/configmaps/a.b?a=b"
        );
        assert_eq!(at(NODE, "", "n1"), "/api/v1/nodes/n1?a=b");
        assert_eq!(
            at(CLAIM, "shop", "x"),
            "/apis/idp.dev/v1alpha1/namespaces/shop/claimbindings/x?a=b"
        );
        assert_eq!(
            folder(CLAIM, &ObjectKey::new("shop", "x")).unwrap(),
            "/apis/idp.dev/v1alpha1/namespaces/shop/claimbindings"
        );
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
                let Err(ApiError::Refused(status)) = path(CLAIM, &key, "") else {
                    panic!("{key} is a path");
                };
                assert_eq!(status.code, 422);
            }
            assert!(path(NODE, &ObjectKey::new("", name), "").is_err());
        }
    }
}
