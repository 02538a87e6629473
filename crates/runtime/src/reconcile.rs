//! What a controller is: the trait that the driver calls.

use std::{fmt::Debug, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use idp_core::{Action, Applied, Kind, Plan, Prepared, Problem, StatusView};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, core::DynamicObject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{reading, scope::Scoped, view::View};

/// One controller: a resource, what it watches, and the pure functions between them.
///
/// The driver calls `observe`, `validate` and `plan`, applies the plan, and writes what `status` returns if it
/// differs from what is there. Only `observe` may wait or do IO.
pub trait Reconcile: Send + Sync + Sized + 'static {
    /// The resource that is reconciled.
    type Resource: Resource<DynamicType = (), Scope: Scoped>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static;
    /// Everything that a plan depends on besides the resource itself.
    type Observed: Send + Sync;
    /// The resource with every default filled in and every reference resolved.
    type Validated: Send + Sync;
    /// `status` of the resource.
    type Status: StatusView + Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;

    /// Name of the controller: also its field manager, its Lease and the `controller` label of metrics.
    const NAME: &'static str;
    /// Finalizer, for controllers that must act before the resource goes. `None`: owner references do
    /// all the cleaning, and deletion never waits for the controller.
    const FINALIZER: Option<&'static str> = None;

    /// How much memory, in bytes, one resource may take to be read. Larger only where the type itself keeps less of a
    /// large object than it was given.
    const LARGEST: usize = reading::LARGEST;

    /// Whether the status of the resource is ours to say in that it cannot be read, or that the controller panics at it.
    /// Not that of somebody else's kind.
    const EXPLAINS: bool = true;

    /// The kinds that the controller owns or looks at.
    fn watches(&self) -> Vec<Watch>;

    /// The status that the resource holds now.
    fn current_status(resource: &Self::Resource) -> Option<&Self::Status>;

    /// Texts that `resource` is looked up by ([`View::resources_by`]), such as the hosts that it names. A reconcile
    /// that looked at every resource would cost the more the more others there are.
    fn terms(resource: &Self::Resource) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// Namespaces besides its own in which children of `resource` are planned. What is in any other namespace is not
    /// its child, whatever its labels say.
    fn elsewhere(resource: &Self::Resource) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// Collects what the plan depends on, from the caches in `view` (and, later, from other controllers).
    fn observe(
        &self,
        resource: &Arc<Self::Resource>,
        view: &View<Self>,
    ) -> impl Future<Output = Result<Self::Observed, ObserveError>> + Send;

    /// Fills in defaults, resolves references, checks rules. On `Err` nothing is written and nothing is
    /// pruned: what ran before keeps running.
    fn validate(
        &self,
        resource: &Self::Resource,
        observed: &Self::Observed,
    ) -> Result<Self::Validated, Vec<Problem>>;

    /// The desired children, or why there are none; `Err` is as in [`Self::validate`].
    fn plan(&self, validated: &Self::Validated) -> Result<Plan<Prepared>, Vec<Problem>>;

    /// Takes what only one resource may have, between plan and apply: of two resources that are planned at the same moment,
    /// both would find it free. All other phases only read.
    ///
    /// # Errors
    /// Who has it: nothing is applied then, as in [`Self::validate`].
    fn take(
        &self,
        resource: &Self::Resource,
        validated: &Self::Validated,
        view: &View<Self>,
    ) -> Result<(), Vec<Problem>> {
        let _ = (resource, validated, view);
        Ok(())
    }

    /// Gives back what [`Self::take`] took: there is no plan for this resource, or it is gone.
    fn let_go(&self, key: &ObjectKey) {
        let _ = key;
    }

    /// The next status. `validated` is there unless validation failed.
    fn status(
        &self,
        resource: &Self::Resource,
        observed: &Self::Observed,
        validated: Option<&Self::Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Self::Status;

    /// Resources (by namespace and name) whose plans may change because `changed` changed or went:
    /// for rules between resources, such as "the first to hold a name keeps it". Called with every
    /// change of a resource's spec and with every deletion.
    ///
    /// Whom it names may depend on specs and on the objects of others, never on a status that this controller writes:
    /// a reconcile that has seen the world before the change may write it after.
    fn affected_by(&self, changed: &Self::Resource, view: &View<Self>) -> Vec<ObjectKey> {
        let _ = (changed, view);
        Vec::new()
    }

    /// Resources that must be reconciled for reasons outside of the cluster, or by a rule that no [`Targets`] express, for
    /// as long as the process runs. What is said of [`Self::affected_by`] holds for them too.
    fn wakes(&self, view: &View<Self>) -> BoxStream<'static, Vec<ObjectKey>> {
        let _ = view;
        futures::stream::pending().boxed()
    }

    /// When a resource with this status must be looked at again though nothing happens: for states that time ends.
    fn recheck(&self, status: &Self::Status, now: Timestamp) -> Option<Duration> {
        let _ = (status, now);
        None
    }

    /// What is to be done before the resource goes, after its children that no owner reference holds are gone; called
    /// only where [`Self::FINALIZER`] is set, and again on the next event or after a back-off until the resource is gone.
    /// Like [`Self::observe`] it reads only.
    fn finalize(
        &self,
        resource: &Arc<Self::Resource>,
        view: &View<Self>,
    ) -> impl Future<Output = Result<Farewell<Self::Status>, ObserveError>> + Send {
        let _ = (resource, view);
        async { Ok(Farewell::Go(Vec::new())) }
    }
}

/// How a resource goes.
#[derive(Debug)]
pub enum Farewell<S> {
    /// It goes once these actions are settled.
    Go(Vec<Action>),
    /// It stays for now, and shows this status.
    Stay(S),
}

/// Why observing failed. Always worth another try; the driver backs off.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {message}")]
pub struct ObserveError {
    /// What could not be read, one of few values: it becomes a metric label.
    pub source_name: &'static str,
    /// What happened.
    pub message: String,
}

/// What became of a plan.
#[derive(Debug)]
pub enum Outcome {
    /// The plan was applied; its `problems` hold what the API server refused, if anything.
    Applied(Plan<Applied>),
    /// There was no plan: nothing was written or pruned. The children that exist are still ours, and
    /// are listed so that the status keeps its inventory.
    Refused {
        /// Why there is no plan.
        problems: Vec<Problem>,
        /// What existed before and was left alone.
        existing: Plan<Applied>,
    },
}

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// `metadata.namespace`; empty for cluster-wide objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectKey {
    /// Namespace (empty for cluster-wide objects) and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Namespace and name of `object`.
    pub fn of(object: &impl ResourceExt) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

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
    /// no owner reference reaches so far. Only those in the namespaces that [`Reconcile::elsewhere`] names count.
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
