//! Requests to the API server, built by hand where kube's `Api` would serialise or parse more than needed.

use std::time::Duration;

use http::{Method, Request, header};
use idp_core::Kind;
use kube::{
    Client,
    core::{DynamicObject, Status},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::reconcile::ObjectKey;

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
    items: Vec<DynamicObject>,
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
        let uri = path(kind, key, &query);
        self.send(
            Method::PATCH,
            uri,
            "application/apply-patch+yaml",
            serialize(object)?,
        )
        .await
    }

    /// Server-side apply without force in the name of a second manager, which holds fields that we give up.
    pub(crate) async fn hand_over(
        &self,
        kind: Kind,
        key: &ObjectKey,
        fields: &Value,
    ) -> Result<(), ApiError> {
        let uri = path(kind, key, &format!("?fieldManager={}-handover", self.manager));
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
        let query = format!("?fieldSelector=metadata.name%3D{}", key.name);
        let folder = ObjectKey::new(key.namespace.clone(), "");
        let uri = path(kind, &folder, "").trim_end_matches('/').to_owned() + &query;
        let list: Found = self
            .send(Method::GET, uri, "application/json", Vec::new())
            .await?;
        Ok(list.items.into_iter().next())
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
            .send(Method::DELETE, path(kind, key, ""), "application/json", body)
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
        let uri = path(kind, key, &format!("{subresource}?fieldManager={}", self.manager));
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

/// Names of objects are DNS labels or path segments that Kubernetes has checked, so nothing needs escaping.
fn path(kind: Kind, key: &ObjectKey, rest: &str) -> String {
    let root = if kind.group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}", kind.api_version())
    };
    let (plural, name) = (kind.plural, &key.name);
    if kind.namespaced {
        format!("{root}/namespaces/{}/{plural}/{name}{rest}", key.namespace)
    } else {
        format!("{root}/{plural}/{name}{rest}")
    }
}
