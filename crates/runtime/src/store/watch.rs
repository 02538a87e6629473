//! What a controller watches.

use idp_core::{Kind, ObjectKey};
use kube::core::DynamicObject;
use serde_json::Value;

/// Which resources are reconciled when a watched object changes.
#[derive(Clone, Copy)]
pub enum Targets {
    /// The resource in its controller owner reference. Objects of such kinds are children: they are checked for drift and
    /// pruned.
    Owner,
    /// Every resource. Only for objects that tenants cannot write: otherwise one of them could keep the controller busy.
    All,
    /// Every resource of the object's namespace.
    Namespace,
    /// The resource that the function returns, if any. Such objects are only read.
    Named(fn(&DynamicObject) -> Option<ObjectKey>),
}

/// A kind that a controller watches. Its cache keeps only an extract of each object, the facts, so that
/// thousands of children cost little memory.
#[derive(Clone, Copy)]
pub struct Watch {
    /// The kind.
    pub kind: Kind,
    /// What the caches keep of each object.
    pub facts: fn(&DynamicObject) -> Value,
    /// Terms by which an object is found: see [`View::facts_by`](crate::View::facts_by).
    pub terms: fn(&DynamicObject) -> Vec<String>,
    /// Which resources are reconciled when one changes.
    pub targets: Targets,
    /// Label selector of the watch; empty for all objects.
    pub labels: &'static str,
    /// Field selector of the watch; empty for all objects.
    pub fields: &'static str,
    /// Whether children of this kind may be in other namespaces than their resource's.
    pub elsewhere: bool,
    /// Whether children of this kind may outlive their resource.
    pub outlive: bool,
    /// Whether the cluster may lack this kind (its CRD is not installed). The controller then works without it, and
    /// applying such an object is a problem whose hint names the CRD to install.
    pub optional: bool,
}

impl Watch {
    /// A kind of children: watched by the managed-by label, cached without facts.
    pub const fn children(kind: Kind) -> Self {
        Self {
            kind,
            facts: no_facts,
            terms: no_terms,
            targets: Targets::Owner,
            labels: "",
            fields: "",
            elsewhere: false,
            outlive: false,
            optional: true,
        }
    }

    /// A kind that is only read. It must be served for the controller to be ready.
    pub const fn related(kind: Kind, targets: Targets, labels: &'static str) -> Self {
        Self {
            kind,
            facts: no_facts,
            terms: no_terms,
            targets,
            labels,
            fields: "",
            elsewhere: false,
            outlive: false,
            optional: false,
        }
    }

    /// Only objects that this field selector selects.
    #[must_use]
    pub const fn fields(mut self, selector: &'static str) -> Self {
        self.fields = selector;
        self
    }

    /// Children of this kind may also be outside their resource's namespace, where labels name the owner, because an owner
    /// reference cannot. Only those in the namespaces that [`Reconcile::child_namespaces`](crate::Reconcile::child_namespaces) returns count.
    #[must_use]
    pub const fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// Children of this kind outlive their resource ([`Child::detached`](idp_core::Child::detached)), beside it.
    #[must_use]
    pub const fn outlive(mut self) -> Self {
        self.outlive = true;
        self
    }

    /// The cluster may lack the kind.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether an object of any namespace requeues every resource: then a tenant who may write one in their own namespace
    /// could keep the controller busy.
    pub(crate) fn lets_tenants_requeue_all(&self) -> bool {
        matches!(self.targets, Targets::All)
            && self.kind.namespaced
            && !self.fields.contains("metadata.namespace=")
    }

    /// Terms by which objects are found.
    #[must_use]
    pub const fn terms(mut self, terms: fn(&DynamicObject) -> Vec<String>) -> Self {
        self.terms = terms;
        self
    }

    /// What to keep of each object.
    #[must_use]
    pub const fn facts(mut self, facts: fn(&DynamicObject) -> Value) -> Self {
        self.facts = facts;
        self
    }
}

fn no_facts(_: &DynamicObject) -> Value {
    Value::Null
}

fn no_terms(_: &DynamicObject) -> Vec<String> {
    Vec::new()
}
