//! The reconcile loop: observe, validate, plan, apply, status, for one resource at a time.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use idp_core::{ObjectKey, Plan, Prepared, StatusView};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    apply::{applier::Applier, retry::Retry},
    client::request::{Api, ApiError},
    driver::{
        backoff::Backoff,
        progress::HeldStatuses,
        pulse::Pulse,
        queue::{Priority, Queue},
        status_patch::merge_diff,
    },
    object::identity::Identity,
    observability::{events::Events, metrics},
    panics,
    reconcile::{Finalize, ObserveError, Outcome, Reconcile},
    store::{
        kind_store::Requeue,
        primary::{Change, Deleted},
        reflector::ResourceEvent,
        view::View,
    },
};

/// Timeout of a reconcile. Every request has its own timeout, so this only ends an `observe` that hangs.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why a reconcile failed as a whole. An error of a child is a problem in the status instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// Something could not be observed.
    #[error("observing failed: {0}")]
    Observe(#[from] ObserveError),
    /// The status or the finalizer could not be written.
    #[error("writing failed: {0}")]
    Write(#[from] ApiError),
    /// A status cannot be serialized.
    #[error("cannot serialize the status: {0}")]
    Serialise(#[from] serde_json::Error),
    /// A function of the controller panicked.
    #[error("panicked: {0}")]
    Panic(String),
    /// A kind of children cannot be listed.
    #[error("cannot list {0}, so its children of this kind are unknown")]
    Unlisted(&'static str),
    /// It took too long.
    #[error("not done after {} s", DEADLINE.as_secs())]
    Deadline,
}

/// Everything that reconciles share.
pub(crate) struct Driver<R: Reconcile> {
    pub(crate) controller: R,
    pub(crate) identity: Identity,
    pub(crate) api: Api,
    pub(crate) applier: Applier,
    pub(crate) view: View<R::Resource>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) backoff: Backoff,
    pub(crate) events: Events,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) held: HeldStatuses,
    /// Whether workers run. Until then, events only report existing resources.
    pub(crate) working: AtomicBool,
}

impl<R: Reconcile> Driver<R> {
    /// Works until the queue is closed.
    pub(crate) async fn work(self: Arc<Self>) {
        self.working.store(true, Ordering::Relaxed);
        while let Some(key) = self.queue.next().await {
            let span = tracing::info_span!(
                "reconcile",
                controller = R::NAME,
                namespace = key.namespace,
                name = key.name
            );
            Box::pin(self.attempt(&key)).instrument(span).await;
            self.queue.done(&key);
            self.pulse.beat();
            // A reconcile without requests never waits: thousands of them in a row must not block watches, the renewal of
            // the Lease and other workers.
            tokio::task::yield_now().await;
        }
    }

    /// Reconciles once, and schedules the next attempt if one is needed.
    async fn attempt(&self, key: &ObjectKey) {
        let started = Instant::now();
        metrics::workers(R::NAME, 1.0);
        // A panic fails the reconcile of this resource only.
        let work = AssertUnwindSafe(self.reconcile(key)).catch_unwind();
        let ended = match tokio::time::timeout(DEADLINE, work).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => Err(self.panicked(key, panics::message(&*panic).to_owned()).await),
            Err(_) => Err(ReconcileError::Deadline),
        };
        metrics::workers(R::NAME, -1.0);
        let result = match ended {
            Ok(Retry::No) => {
                self.backoff.reset(key);
                "success"
            }
            Ok(Retry::Slow) => {
                self.queue
                    .add_after(key.clone(), Backoff::slow(), Priority::Resync);
                "requeue_after"
            }
            Ok(Retry::Poll) => {
                self.queue
                    .add_after(key.clone(), Backoff::poll(), Priority::Resync);
                "requeue_after"
            }
            Ok(Retry::Soon) => {
                self.queue
                    .add_after(key.clone(), self.backoff.failed(key), Priority::Change);
                "requeue"
            }
            Err(error) => {
                let delay = self.backoff.failed(key);
                tracing::warn!(%error, retry_in = ?delay, "Reconcile failed.");
                self.queue.add_after(key.clone(), delay, Priority::Change);
                "error"
            }
        };
        metrics::reconciled(R::NAME, result, started.elapsed().as_secs_f64());
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Retry, ReconcileError> {
        if let Some(ghost) = self.view.resources.ghost(key) {
            return self.haunt(key, &ghost).await;
        }
        let Some(mut resource) = self.view.resources.get(key) else {
            return Ok(Retry::No);
        };
        if resource.meta().deletion_timestamp.is_some() {
            return self.finalize(key, &resource).await;
        }
        if R::FINALIZER.is_some() && !Self::is_held(&resource) {
            self.hold(key, &resource).await?;
            let Some(held) = self.view.resources.get(key) else {
                return Ok(Retry::No);
            };
            resource = held;
        }
        let observed = self.controller.observe(&resource, &self.view).await?;
        let validated = self.controller.validate(&resource, &observed);
        let plan = validated.as_ref().map_err(Vec::clone).and_then(|validated| {
            let plan = self.controller.plan(validated)?;
            self.controller.reserve(&resource, validated, &self.view)?;
            Ok(plan)
        });
        if plan.is_err() {
            self.controller.release(key);
        }
        let (outcome, retry) = self.carry_out(key, &resource, plan).await;
        let Some(outcome) = outcome else {
            return Ok(Retry::No);
        };
        let now = Timestamp::now();
        let next = self
            .controller
            .status(&resource, &observed, validated.as_ref().ok(), &outcome, now);
        let written = self.write_status(key, &resource, &next).await?;
        if let Some(delay) = self.controller.requeue_after(&next, now) {
            self.queue.add_after(key.clone(), delay, Priority::Resync);
        }
        Ok(retry.max(written))
    }

    /// Applies the plan, if there is one. `None` if the namespace is being deleted: no status is written.
    async fn carry_out(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        plan: Result<Plan<Prepared>, Vec<idp_core::Problem>>,
    ) -> (Option<Outcome>, Retry) {
        let parent = self.view.parent(resource);
        match plan {
            Ok(plan) => {
                let progress = self.applier.apply(&parent, plan).await;
                if progress.facts_changed {
                    self.queue.add(key.clone(), Priority::Change);
                }
                let outcome = (!progress.namespace_gone).then_some(Outcome::Applied(progress.applied));
                (outcome, progress.retry)
            }
            // A change that allows a plan is an event.
            Err(problems) => (
                Some(Outcome::Refused {
                    problems,
                    existing: self.applier.existing(&parent),
                }),
                Retry::No,
            ),
        }
    }

    pub(crate) async fn finalize(
        &self,
        key: &ObjectKey,
        resource: &Arc<R::Resource>,
    ) -> Result<Retry, ReconcileError> {
        if !Self::is_held(resource) {
            // Kubernetes garbage-collects the rest.
            return Ok(Retry::No);
        }
        let parent = self.view.parent(resource);
        if let Some(kind) = self.view.caches.unlisted() {
            self.explain_unlisted(key, resource, kind).await?;
            return Err(ReconcileError::Unlisted(kind.plural));
        }
        if !self.applier.pruner.release(&parent).await {
            // Each deletion is an event.
            return Ok(Retry::Poll);
        }
        match self.controller.finalize(resource, &self.view).await? {
            Finalize::Release(actions) => {
                let retry = self.applier.actions.run_all(actions).await;
                if retry == Retry::No {
                    self.release(key, resource).await?;
                }
                Ok(retry)
            }
            Finalize::Wait(status) => {
                self.write_status(key, resource, &status).await?;
                Ok(Retry::Soon)
            }
        }
    }

    /// Writes the status if it differs. The version that it was computed from is a precondition; if that fails, the
    /// resource has changed, and is reconciled again.
    async fn write_status(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        next: &R::Status,
    ) -> Result<Retry, ReconcileError> {
        let previous = R::current_status(resource);
        if previous == Some(next) {
            self.held.release(key);
            return Ok(Retry::No);
        }
        if R::is_progress(next)
            && let Some(rest) = self.held.hold(key)
        {
            // Usually an event comes sooner.
            self.queue.add_after(key.clone(), rest, Priority::Resync);
            return Ok(Retry::No);
        }
        let old = previous
            .map(serde_json::to_value)
            .transpose()?
            .unwrap_or(Value::Null);
        let Some(diff) = merge_diff(&old, &serde_json::to_value(next)?) else {
            return Ok(Retry::No);
        };
        let patch = json!({ "metadata": { "resourceVersion": resource.resource_version() }, "status": diff });
        let writing = self.view.resources.writing(key);
        let answer = self
            .api
            .merge_status::<R::Resource>(self.identity.kind, key, &patch)
            .await;
        match answer {
            Ok(written) => {
                self.held.release(key);
                if writing.done(written) {
                    self.queue.add(key.clone(), Priority::Change);
                }
                self.events.transition(&resource.object_ref(&()), previous, next);
                Ok(Retry::No)
            }
            Err(error) => match error.code() {
                Some(404) => Ok(Retry::No),
                Some(409) => Ok(Retry::Soon),
                _ => Err(error.into()),
            },
        }
    }

    /// An event of the reconciled kind.
    pub(crate) fn on_resource(&self, event: ResourceEvent<R::Resource>) {
        let resources = &self.view.resources;
        match event {
            ResourceEvent::Readable(object) => {
                let key = ObjectKey::of(&*object);
                self.on_change(key, resources.observe(*object));
            }
            ResourceEvent::Unreadable(unreadable) => {
                self.on_change(unreadable.key(), resources.observe_unreadable(*unreadable));
            }
            ResourceEvent::Deleted(metadata) => {
                if let Some(gone) = resources.observe_deletion(&metadata) {
                    self.on_deleted(&gone);
                }
            }
            ResourceEvent::ListBegan => resources.relist_began(),
            ResourceEvent::ListDone => resources
                .relist_done()
                .iter()
                .for_each(|gone| self.on_deleted(gone)),
        }
    }

    fn on_change(&self, key: ObjectKey, change: Change<R::Resource>) {
        if let Change::Changed { respecified } = change {
            let priority = self.priority(
                self.view
                    .resources
                    .get(&key)
                    .is_some_and(|resource| is_settled::<R>(&resource)),
            );
            self.queue.add(key, priority);
            respecified
                .iter()
                .for_each(|resource| self.on_respecified(resource));
        }
    }

    /// An event of a watched kind.
    pub(crate) fn requeue(&self, requeues: Vec<Requeue>) {
        for requeue in requeues {
            match requeue {
                Requeue::One(key) => {
                    if self.view.resources.contains(&key) {
                        self.queue.add(key, self.priority(true));
                    }
                }
                Requeue::Owner(key, uid) => {
                    let known = self.view.resources.get(&key).and_then(|known| known.uid());
                    if known == Some(uid) {
                        self.queue.add(key, self.priority(true));
                    }
                }
                Requeue::Namespace(namespace) => {
                    self.resync(self.view.resources.keys_in(&namespace));
                }
                Requeue::All => self.resync(self.view.resources.keys()),
            }
        }
    }

    /// Requeues many resources, after those that have changed themselves.
    pub(crate) fn resync(&self, keys: Vec<ObjectKey>) {
        let known = keys.into_iter().filter(|key| self.view.resources.contains(key));
        known.for_each(|key| self.queue.add(key, Priority::Resync));
    }

    /// After a start, resources that are `settled` come last.
    fn priority(&self, settled: bool) -> Priority {
        if settled && !self.working.load(Ordering::Relaxed) {
            Priority::Resync
        } else {
            Priority::Change
        }
    }

    fn on_deleted(&self, gone: &Deleted<R::Resource>) {
        self.queue.forget(&gone.key);
        self.backoff.reset(&gone.key);
        self.controller.release(&gone.key);
        self.held.release(&gone.key);
        if let Some(resource) = &gone.last {
            self.on_respecified(resource);
        }
    }

    fn on_respecified(&self, resource: &R::Resource) {
        // Before the first list is complete everything is in the queue anyway.
        if self.view.resources.synced() {
            let affected = self.controller.affected_by(resource, &self.view);
            affected
                .into_iter()
                .for_each(|key| self.queue.add(key, Priority::Change));
        }
    }
}

/// Whether a resource has a status for its current spec, and is not being deleted.
fn is_settled<R: Reconcile>(resource: &R::Resource) -> bool {
    let metadata = resource.meta();
    let conditions = R::current_status(resource)
        .map(StatusView::conditions)
        .unwrap_or_default();
    metadata.deletion_timestamp.is_none()
        && !conditions.is_empty()
        && conditions
            .iter()
            .all(|condition| condition.observed_generation == metadata.generation)
}

#[cfg(test)]
mod tests;
