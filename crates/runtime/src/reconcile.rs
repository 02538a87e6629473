//! What a controller is: the trait that the driver calls.

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
    const MAX_BYTES: usize = reading::MAX_BYTES;

    /// Whether the status of the resource is ours to say in that it cannot be read, or that the controller panics at it.
    /// Not that of somebody else's kind.
    const OWNS_STATUS: bool = true;

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
    fn child_namespaces(resource: &Self::Resource) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// Collects what the plan depends on, from the caches in `view` (and, later, from other controllers).
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

    /// Takes what only one resource may have, between plan and apply: of two resources that are planned at the same moment,
    /// both would find it free. All other phases only read.
    ///
    /// # Errors
    /// Who has it: nothing is applied then, as in [`Self::validate`].
    fn reserve(
        &self,
        resource: &Self::Resource,
        validated: &Self::Validated,
        view: &View<Self::Resource>,
    ) -> Result<(), Vec<Problem>> {
        let _ = (resource, validated, view);
        Ok(())
    }

    /// Gives back what [`Self::reserve`] took: there is no plan for this resource, or it is gone.
    fn release(&self, key: &ObjectKey) {
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

    /// Whether a status only tells that work is under way. It is then held back for about two seconds, and not written at
    /// all where something comes of it meanwhile. A problem that somebody must mend is no such status.
    fn is_progress(status: &Self::Status) -> bool {
        let _ = status;
        false
    }

    /// Resources (by namespace and name) whose plans may change because `changed` changed or went:
    /// for rules between resources, such as "the first to hold a name keeps it". Called with every
    /// change of a resource's spec and with every deletion.
    ///
    /// Whom it names may depend on specs and on the objects of others, never on a status that this controller writes:
    /// a reconcile that has seen the world before the change may write it after.
    fn affected_by(&self, changed: &Self::Resource, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        let _ = (changed, view);
        Vec::new()
    }

    /// Resources that must be reconciled for reasons outside of the cluster, or by a rule that no [`Targets`] express, for
    /// as long as the process runs. What is said of [`Self::affected_by`] holds for them too.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let _ = view;
        futures::stream::pending().boxed()
    }

    /// When a resource with this status must be looked at again though nothing happens: for states that time ends.
    fn requeue_after(&self, status: &Self::Status, now: Timestamp) -> Option<Duration> {
        let _ = (status, now);
        None
    }

    /// What is to be done before the resource goes, after its children that no owner reference holds are gone; called
    /// only where [`Self::FINALIZER`] is set, and again on the next event or after a back-off until the resource is gone.
    /// Like [`Self::observe`] it reads only.
    fn finalize(
        &self,
        resource: &Arc<Self::Resource>,
        view: &View<Self::Resource>,
    ) -> impl Future<Output = Result<Finalize<Self::Status>, ObserveError>> + Send {
        let _ = (resource, view);
        async { Ok(Finalize::Release(Vec::new())) }
    }
}

/// How a resource goes.
#[derive(Debug)]
pub enum Finalize<S> {
    /// It goes once these actions are settled.
    Release(Vec<Action>),
    /// It stays for now, and shows this status.
    Wait(S),
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

impl From<FactsError> for ObserveError {
    fn from(misread: FactsError) -> Self {
        Self {
            source_name: misread.kind.plural,
            message: misread.to_string(),
        }
    }
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

/// The empty caches of a controller.
pub(crate) fn view<R: Reconcile>(controller: &R) -> View<R::Resource> {
    let identity = Identity::of::<R::Resource>(R::NAME);
    View::new(identity, controller.watches(), R::terms, R::child_namespaces)
}

/// A view of what is given and of nothing else, without a cluster: `objects` are of the kinds that the controller
/// watches.
pub fn offline_view<R: Reconcile>(
    controller: &R,
    resources: impl IntoIterator<Item = R::Resource>,
    objects: impl IntoIterator<Item = DynamicObject>,
) -> View<R::Resource> {
    let view = view(controller);
    view.fill(resources, objects);
    view
}
