//! An API server in memory, for tests that count requests.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// Objects by path, and the requests so far.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    log: Vec<String>,
    bodies: Vec<Value>,
    version: u64,
    /// Paths that are refused, with the answer.
    refuse: BTreeMap<String, (u16, String)>,
    dropped: Option<&'static str>,
}

impl Fake {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    /// The requests since the last call: method and path.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    pub(crate) fn last_body(&self) -> Value {
        self.0.lock().unwrap().bodies.last().cloned().unwrap_or_default()
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Puts an object there without a request.
    pub(crate) fn put(&self, path: &str, object: Value) -> Value {
        self.0.lock().unwrap().store(path, object)
    }

    /// Puts an object there as it is.
    pub(crate) fn replace(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.insert(path.to_owned(), object);
    }

    /// Drops a member of every applied object, as a schema that lacks it does.
    pub(crate) fn drop_field(&self, name: &'static str) {
        self.0.lock().unwrap().dropped = Some(name);
    }

    pub(crate) fn refuse(&self, path: &str, code: u16, message: &str) {
        self.0
            .lock()
            .unwrap()
            .refuse
            .insert(path.to_owned(), (code, message.to_owned()));
    }
}

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let uid = self.objects.get(path).map_or_else(
            || json!(format!("uid-{}", self.version)),
            |old| old["metadata"]["uid"].clone(),
        );
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = json!((self.version + 100).to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    /// A JSON merge patch of an object or of its status.
    fn merge(&mut self, path: &str, patch: &Value) -> (u16, Value) {
        if let Some((code, message)) = self.refuse.get(path) {
            return failure(*code, message);
        }
        let path = path.trim_end_matches("/status");
        let Some(mut object) = self.objects.get(path).cloned() else {
            return failure(404, "not found");
        };
        if differs(patch, &object, "resourceVersion") {
            return failure(409, "modified");
        }
        merge_into(&mut object, patch);
        (200, self.store(path, object))
    }

    fn answer(&mut self, method: &Method, path: &str, query: &str, body: Value) -> (u16, Value) {
        if let Some((code, message)) = self.refuse.get(path) {
            return failure(*code, message);
        }
        if let Some(name) = query
            .trim_start_matches('&')
            .strip_prefix("fieldSelector=metadata.name%3D")
        {
            let found = self.objects.get(&format!("{path}/{name}")).cloned();
            return (200, json!({ "items": found.into_iter().collect::<Vec<_>>() }));
        }
        let old = self.objects.get(path).cloned();
        match (method.as_str(), old) {
            ("GET", Some(object)) => (200, object),
            ("GET" | "PUT" | "DELETE", None) => failure(404, "not found"),
            ("POST", _) => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&path) {
                    failure(409, "exists")
                } else {
                    (201, self.store(&path, body))
                }
            }
            ("PUT", Some(old))
                if old["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] =>
            {
                failure(409, "modified")
            }
            ("DELETE", Some(old)) if body["preconditions"]["uid"] != old["metadata"]["uid"] => {
                failure(409, "uid")
            }
            ("DELETE", Some(old)) => {
                self.objects.remove(path);
                (200, old)
            }
            ("PATCH", Some(old)) if differs(&body, &old, "resourceVersion") => failure(409, "modified"),
            ("PATCH", Some(old)) if differs(&body, &old, "uid") => {
                failure(422, "metadata.uid: field is immutable")
            }
            ("PATCH", None) if !body["metadata"]["uid"].is_null() => failure(409, "uid mismatch"),
            ("PATCH", _) => {
                let manager = query
                    .split('&')
                    .find_map(|part| part.strip_prefix("fieldManager="))
                    .unwrap_or_default();
                let mut object = body;
                if let (Some(dropped), Value::Object(object)) = (self.dropped, &mut object) {
                    object.remove(dropped);
                }
                let fields = fields(&object);
                object["metadata"]["managedFields"] =
                    json!([{ "manager": manager, "operation": "Apply", "fieldsV1": fields }]);
                (200, self.store(path, object))
            }
            (_, _) => (200, self.store(path, body)),
        }
    }
}

fn merge_into(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            merge_into(&mut object[name], value);
        }
    }
}

fn differs(body: &Value, old: &Value, field: &str) -> bool {
    let wanted = &body["metadata"][field];
    !wanted.is_null() && wanted != &old["metadata"][field]
}

/// Every list is atomic here.
fn fields(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(key, value)| (format!("f:{key}"), fields(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "",
    };
    let status =
        json!({ "kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason });
    (code, status)
}

impl tower::Service<Request<Body>> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let state = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.unwrap_or_default();
            let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let mut state = state.lock().unwrap();
            let path = parts.uri.path();
            state.log.push(format!("{} {path}", parts.method));
            state.bodies.push(body.clone());
            let merges = parts
                .headers
                .get("content-type")
                .is_some_and(|found| found == "application/merge-patch+json");
            let (code, answer) = if merges {
                state.merge(path, &body)
            } else {
                state.answer(&parts.method, path, parts.uri.query().unwrap_or_default(), body)
            };
            let code = StatusCode::from_u16(code).unwrap();
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok(Response::builder().status(code).body(answer).unwrap())
        })
    }
}

/// A resource for tests of the loop.
#[derive(
    kube::CustomResource, serde::Serialize, serde::Deserialize, Clone, Debug, Default, schemars::JsonSchema,
)]
#[kube(
    group = "test.idp.dev",
    version = "v1",
    kind = "Gadget",
    namespaced,
    status = "GadgetStatus"
)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GadgetSpec {
    /// What its child holds.
    pub(crate) data: BTreeMap<String, String>,
    /// At which phase the controller panics.
    pub(crate) panic: String,
    /// A number with a bound.
    pub(crate) count: i32,
    /// Anything.
    pub(crate) free: Value,
}

/// Its status.
#[derive(serde::Serialize, serde::Deserialize, Clone, Debug, Default, PartialEq, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GadgetStatus {
    pub(crate) conditions: Vec<idp_core::Condition>,
    pub(crate) problems: Vec<idp_core::Problem>,
}

pub(crate) const GADGET: idp_core::Kind =
    idp_core::Kind::namespaced("test.idp.dev", "v1", "Gadget", "gadgets");
