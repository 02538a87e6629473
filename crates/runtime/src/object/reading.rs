//! Reads objects that anyone may have written. No object prevents the others from being read.
//!
//! A list or a watch is parsed as a whole, and serde_json fails at 128 levels of nesting: one deep object of a tenant
//! would hide all others. [`RawObject`] therefore accepts every JSON object: deeper levels than [`MAX_LEVELS`] are cut off, and
//! each object is parsed into its type afterwards ([`RawObject::typed`]).

use std::fmt::Debug;

use kube::{
    Api, Client, Resource,
    api::ListParams,
    core::{ApiResource, DynamicObject, DynamicResourceScope, ObjectMeta, TypeMeta},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use idp_core::ObjectKey;

mod cutting;
mod salvage;
mod size;

use cutting::Cutting;

/// Levels of an object that are read. Kubernetes' own kinds have fewer than 20.
pub const MAX_LEVELS: usize = 100;
/// Approximate memory that an object of a reconciled kind may take: these are cached whole, and the API server accepts
/// objects of 1.5 MB.
pub const MAX_BYTES: usize = 384 * 1024;
/// Objects in each page of a list.
const PAGE: u32 = 200;

/// Any object, as far as it can be read.
#[derive(Clone, Debug)]
pub struct RawObject {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Everything else.
    data: Map<String, Value>,
    /// The first place at which something was cut off.
    cut: Option<String>,
}

/// An object that does not fit its type.
#[derive(Clone, Debug)]
pub struct Unreadable<K> {
    /// Its metadata, which can always be read.
    pub metadata: ObjectMeta,
    /// The error, with its field path.
    pub error: DecodeError,
    /// The object without the fields that do not fit, if the rest can be parsed. For display only, never to act on.
    pub rest: Option<K>,
    /// Its raw status.
    pub status: Value,
}

/// Why an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field, such as `spec.rollout.maxSurge`; empty for the object as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl DecodeError {
    pub(crate) fn too_deep(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            message: format!("is nested deeper than {MAX_LEVELS} levels"),
        }
    }
}

impl RawObject {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        key_of(&self.metadata)
    }

    /// The first place that was cut off, if any.
    pub fn error(&self) -> Option<DecodeError> {
        self.cut.as_deref().map(DecodeError::too_deep)
    }

    /// The object without a type. Values nested too deeply are `null`.
    pub fn dynamic(self) -> DynamicObject {
        let Self {
            metadata, mut data, ..
        } = self;
        let mut text = |name: &str| match data.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let types = match (text("apiVersion"), text("kind")) {
            (Some(api_version), Some(kind)) => Some(TypeMeta { api_version, kind }),
            _ => None,
        };
        DynamicObject {
            types,
            metadata,
            data: Value::Object(data),
        }
    }

    /// The object as a `K`.
    ///
    /// # Errors
    /// When it does not fit the type, is nested too deep, or is larger than [`MAX_BYTES`].
    pub fn typed<K>(self) -> Result<K, Box<Unreadable<K>>>
    where
        K: Resource + DeserializeOwned,
    {
        self.typed_within(MAX_BYTES)
    }

    /// The same with another limit on its memory, in bytes.
    ///
    /// # Errors
    /// As [`Self::typed`].
    pub fn typed_within<K>(self, largest: usize) -> Result<K, Box<Unreadable<K>>>
    where
        K: Resource + DeserializeOwned,
    {
        let Self {
            metadata,
            mut data,
            cut,
        } = self;
        if let Some(error) = size::too_large(&data, largest) {
            return Err(Box::new(Unreadable {
                metadata,
                error,
                rest: None,
                status: data.remove("status").unwrap_or_default(),
            }));
        }
        data.insert("metadata".to_owned(), Value::Object(Map::new()));
        let status = data.get("status").cloned();
        let (read, error) = salvage::read::<K>(Value::Object(data));
        let read = read.map(|mut object| {
            *object.meta_mut() = metadata.clone();
            object
        });
        match (read, cut.as_deref().map(DecodeError::too_deep).or(error)) {
            (Some(object), None) => Ok(object),
            (rest, error) => Err(Box::new(Unreadable {
                metadata,
                error: error.unwrap_or_else(|| DecodeError {
                    path: String::new(),
                    message: "cannot be parsed".to_owned(),
                }),
                rest,
                status: status.unwrap_or_default(),
            })),
        }
    }
}

impl<K> Unreadable<K> {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        key_of(&self.metadata)
    }
}

fn key_of(metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (value, cut) = Cutting::read(deserializer, MAX_LEVELS)?;
        let mut data = match value {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        let metadata = data.remove("metadata").unwrap_or_default();
        Ok(Self {
            metadata: metadata_of(&metadata),
            data,
            cut,
        })
    }
}

/// The API server validates metadata. If they cannot be parsed all the same, the fields that identify the object count.
fn metadata_of(value: &Value) -> ObjectMeta {
    ObjectMeta::deserialize(value).unwrap_or_else(|_| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        }
    })
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// A list, with the objects that cannot be read.
#[derive(Debug)]
pub struct Listed<K> {
    /// The objects that can be read.
    pub items: Vec<K>,
    /// Those that cannot.
    pub unreadable: Vec<Unreadable<K>>,
}

/// The API resource of `K`, for requests that read it as [`RawObject`].
pub fn api_resource<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource {
        group: K::group(&()).into_owned(),
        version: K::version(&()).into_owned(),
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        plural: K::plural(&()).into_owned(),
    }
}

/// Every object of a kind that `params` select, of one namespace or of all. No object prevents the others from being read.
///
/// # Errors
/// When the API server does not respond, or rejects the request.
pub async fn list<K>(client: &Client, namespace: Option<&str>, params: &ListParams) -> kube::Result<Listed<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut listed = Listed {
        items: Vec::new(),
        unreadable: Vec::new(),
    };
    for seen in list_raw(client, &api_resource::<K>(), namespace, params).await? {
        match seen.typed() {
            Ok(object) => listed.items.push(object),
            Err(unreadable) => listed.unreadable.push(*unreadable),
        }
    }
    Ok(listed)
}

/// As [`list`], without a type.
///
/// # Errors
/// As [`list`].
pub async fn list_raw(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    params: &ListParams,
) -> kube::Result<Vec<RawObject>> {
    let api: Api<RawObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let mut params = params.clone();
    params.limit.get_or_insert(PAGE);
    let mut all = Vec::new();
    loop {
        let page = api.list(&params).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests;
