//! The trait that a controller implements.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use idp_core::{Action, Applied, ObjectKey, Plan, Prepared, Problem, StatusView};
use jiff::Timestamp;
use kube::{Resource, core::DynamicObject};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    object::{identity::Identity, reading, scope::Scoped},
    store::{facts::FactsError, view::View, watch::Watch},
};

/// One controller: a resource, the kinds that it watches, and the pure functions between them.
///
/// The driver calls `observe`, `validate` and `plan`, applies the plan, and writes the result of `status` if it
/// differs from the current status. Only `observe` may wait or do IO.
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
    /// Finalizer, for controllers that must act before the resource is deleted. `None`: Kubernetes garbage-collects
    /// everything by owner references, and deletion never waits for the controller.
    const FINALIZER: Option<&'static str> = None;

    /// How much memory, in bytes, one resource may take. Larger only for a type that drops parts of a large object when it
    /// is parsed.
    const MAX_BYTES: usize = reading::MAX_BYTES;

    /// Whether this controller owns the status of the resource, and may report there that the resource cannot be read, or
    /// that the controller panicked on it.
    const OWNS_STATUS: bool = true;

    /// The kinds that the controller owns or reads.
    fn watches(&self) -> Vec<Watch>;

    /// The current status of the resource.
    fn current_status(resource: &Self::Resource) -> Option<&Self::Status>;

    /// Terms by which `resource` is found ([`View::resources_by`]), such as its hosts. A reconcile that read every resource
    /// would cost more with every other resource.
    fn terms(resource: &Self::Resource) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// Namespaces besides its own in which children of `resource` are planned. An object in any other namespace is not its
    /// child, whatever its labels are.
    fn child_namespaces(resource: &Self::Resource) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// Collects the inputs of the plan from the caches in `view`, and from other controllers.
    fn observe(
        &self,
        resource: &Arc<Self::Resource>,
        view: &View<Self::Resource>,
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

    /// Reserves names that only one resource may have, between plan and apply: two resources that are planned at the same
    /// moment would both find the name free. All other phases only read.
    ///
    /// # Errors
    /// When another resource has the name: nothing is applied then, as in [`Self::validate`].
    fn reserve(
        &self,
        resource: &Self::Resource,
        validated: &Self::Validated,
        view: &View<Self::Resource>,
    ) -> Result<(), Vec<Problem>> {
        let _ = (resource, validated, view);
        Ok(())
    }

    /// Releases the names that [`Self::reserve`] reserved: the resource has no plan, or is gone.
    fn release(&self, key: &ObjectKey) {
        let _ = key;
    }

    /// The next status. `validated` is `None` if validation failed.
    fn status(
        &self,
        resource: &Self::Resource,
        observed: &Self::Observed,
        validated: Option<&Self::Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Self::Status;

    /// Whether a status only reports progress. It is then held back for about two seconds, and not written if a better one
    /// follows meanwhile. A status with a problem that requires an action is not progress.
    fn is_progress(status: &Self::Status) -> bool {
        let _ = status;
        false
    }

    /// Resources (by namespace and name) whose plans may change because `changed` changed or went:
    /// for rules between resources, such as "the first to hold a name keeps it". Called with every
    /// change of a resource's spec and with every deletion.
    ///
    /// The result may depend on specs and on objects of others, never on a status that this controller writes: a reconcile
    /// that read the caches before the change may write the status after it.
    fn affected_by(&self, changed: &Self::Resource, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        let _ = (changed, view);
        Vec::new()
    }

    /// Resources to requeue for reasons outside the cluster, or by a rule that [`Targets`](crate::Targets) cannot express, for as long as the
    /// process runs. The restriction of [`Self::affected_by`] applies here too.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let _ = view;
        futures::stream::pending().boxed()
    }

    /// When to reconcile a resource with this status again without an event: for states that end with time.
    fn requeue_after(&self, status: &Self::Status, now: Timestamp) -> Option<Duration> {
        let _ = (status, now);
        None
    }

    /// The actions before the resource is deleted, once its children without owner references are gone. Called only if
    /// [`Self::FINALIZER`] is set, and again on the next event or after a back-off until the resource is gone.
    /// Like [`Self::observe`] it only reads.
    fn finalize(
        &self,
        resource: &Arc<Self::Resource>,
        view: &View<Self::Resource>,
    ) -> impl Future<Output = Result<Finalize<Self::Status>, ObserveError>> + Send {
        let _ = (resource, view);
        async { Ok(Finalize::Release(Vec::new())) }
    }
}

/// How the deletion of a resource proceeds.
#[derive(Debug)]
pub enum Finalize<S> {
    /// The finalizer is released once these actions are settled.
    Release(Vec<Action>),
    /// The finalizer stays for now, and the resource gets this status.
    Wait(S),
}

/// Why observing failed. It is always retried, with back-off.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {message}")]
pub struct ObserveError {
    /// The source that could not be read. One of few values, because it becomes a metric label.
    pub source_name: &'static str,
    /// The error.
    pub message: String,
}

impl From<FactsError> for ObserveError {
    fn from(error: FactsError) -> Self {
        Self {
            source_name: error.kind.plural,
            message: error.to_string(),
        }
    }
}

/// The result of a plan.
#[derive(Debug)]
pub enum Outcome {
    /// The plan was applied; its `problems` contain what the API server rejected.
    Applied(Plan<Applied>),
    /// There was no plan: nothing was written or pruned. The existing children are still ours, and are listed so that the
    /// status keeps its inventory.
    Refused {
        /// Why there is no plan.
        problems: Vec<Problem>,
        /// The existing children, unchanged.
        existing: Plan<Applied>,
    },
}

/// The empty caches of a controller.
pub(crate) fn view<R: Reconcile>(controller: &R) -> View<R::Resource> {
    let identity = Identity::of::<R::Resource>(R::NAME);
    View::new(identity, controller.watches(), R::terms, R::child_namespaces)
}

/// A view of these resources and objects only, without a cluster. `objects` are of kinds that the controller watches.
pub fn offline_view<R: Reconcile>(
    controller: &R,
    resources: impl IntoIterator<Item = R::Resource>,
    objects: impl IntoIterator<Item = DynamicObject>,
) -> View<R::Resource> {
    let view = view(controller);
    view.fill(resources, objects);
    view
}
