//! What a controller watches.

use idp_core::{Kind, ObjectKey};
use kube::core::DynamicObject;
use serde_json::Value;

/// Which resources are reconciled when a watched object changes.
#[derive(Clone, Copy)]
pub enum Targets {
    /// The resource that its controller owner reference names. Objects of such kinds are children: they
    /// are drift-checked and pruned.
    Owner,
    /// Every resource: only for objects that tenants cannot write, or one of them keeps the work of all busy.
    All,
    /// Every resource of the object's namespace.
    Namespace,
    /// The resource that the function names, if any. Such objects are only looked at.
    Named(fn(&DynamicObject) -> Option<ObjectKey>),
}

/// A kind that a controller watches. Its cache keeps only an extract of each object, the facts, so that
/// thousands of children cost little memory.
#[derive(Clone, Copy)]
pub struct Watch {
    /// The kind.
    pub kind: Kind,
    /// What the caches remember of each object.
    pub facts: fn(&DynamicObject) -> Value,
    /// What an object is looked up by: see [`View::facts_by`].
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
    /// Whether the cluster may lack this kind (its CRD is not installed); the controller then works
    /// without it, and applying one is a problem that says what to install.
    pub optional: bool,
}

impl Watch {
    /// A kind of children: watched by the managed-by label, remembered without facts.
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

    /// A kind that is only looked at, and that must be served for the controller to be ready.
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

    /// Children of this kind are planned in other namespaces than their resource's too, where labels name the owner:
    /// no owner reference reaches so far. Only those in the namespaces that [`Reconcile::child_namespaces`](crate::Reconcile::child_namespaces) names count.
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

    /// Whether an object of any namespace has every resource reconciled: then whoever may write one in a namespace of
    /// his own keeps the work for all others busy.
    pub(crate) fn lets_tenants_wake_all(&self) -> bool {
        matches!(self.targets, Targets::All)
            && self.kind.namespaced
            && !self.fields.contains("metadata.namespace=")
    }

    /// What to look objects up by.
    #[must_use]
    pub const fn terms(mut self, terms: fn(&DynamicObject) -> Vec<String>) -> Self {
        self.terms = terms;
        self
    }

    /// What to remember of each object.
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
