//! The identity of a controller: its name, and the kind that it reconciles.

use idp_core::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use serde_json::{Value, json};

use crate::object::scope::Scoped;

/// Name and kind of a controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    /// Controller name: field manager and value of the managed-by label.
    pub(crate) name: &'static str,
    /// The kind that is reconciled.
    pub(crate) kind: Kind,
}

impl Identity {
    pub(crate) fn of<K: Resource<DynamicType = (), Scope: Scoped>>(name: &'static str) -> Self {
        // A few bytes, once for each controller: `Kind` is `Copy` because its text is static.
        let fixed = |text: std::borrow::Cow<'_, str>| -> &'static str { text.into_owned().leak() };
        let kind = Kind {
            group: fixed(K::group(&())),
            version: fixed(K::version(&())),
            kind: fixed(K::kind(&())),
            plural: fixed(K::plural(&())),
            namespaced: <K as Resource>::Scope::NAMESPACED,
        };
        Self { name, kind }
    }

    /// Whether an owner reference is to our kind, in any version.
    pub(crate) fn owns(&self, owner: &OwnerReference) -> bool {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        owner.kind == self.kind.kind && group == self.kind.group
    }

    /// The controller owner reference to one of our resources.
    pub(crate) fn owner_reference(&self, name: &str, uid: &str) -> Value {
        json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.kind,
            "name": name,
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }
}
