//! The reconcile loop: observe, validate, plan, apply, status, for one resource at a time.

use std::{sync::Arc, time::Duration};

use idp_core::{Plan, Prepared};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, runtime::watcher::Event};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    api::{Api, ApiError},
    applier::{Applier, Parent, Retry},
    backoff::Backoff,
    cache::Wake,
    events::Events,
    health::Pulse,
    identity::Identity,
    metrics,
    queue::Queue,
    reconcile::{ObjectKey, ObserveError, Outcome, Reconcile},
    resources::Change,
    status::merge_diff,
    view::View,
};

/// Longest that a reconcile may take: every request has a deadline of its own, so this only catches an
/// `observe` that hangs.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why a reconcile failed as a whole. What is wrong with a child is not such a failure: it is a problem
/// in the status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something could not be observed.
    #[error("observing failed: {0}")]
    Observe(#[from] ObserveError),
    /// The status or the finalizer could not be written.
    #[error("writing failed: {0}")]
    Write(#[from] ApiError),
    /// A status does not serialise.
    #[error("status does not serialise: {0}")]
    Serialise(#[from] serde_json::Error),
    /// It took too long.
    #[error("no end after {} s", DEADLINE.as_secs())]
    Deadline,
}

/// Everything that reconciles share.
pub(crate) struct Driver<R: Reconcile> {
    pub(crate) controller: R,
    pub(crate) identity: Identity,
    pub(crate) api: Api,
    pub(crate) applier: Applier,
    pub(crate) view: View<R>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) backoff: Backoff,
    pub(crate) events: Events,
    pub(crate) pulse: Arc<Pulse>,
}

impl<R: Reconcile> Driver<R> {
    /// Works until the queue is closed.
    pub(crate) async fn work(self: Arc<Self>) {
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
        }
    }

    /// Reconciles once, and sees to the next attempt if one is needed.
    async fn attempt(&self, key: &ObjectKey) {
        let started = Instant::now();
        metrics::workers(R::NAME, 1.0);
        let ended = tokio::time::timeout(DEADLINE, self.reconcile(key))
            .await
            .unwrap_or(Err(Failure::Deadline));
        metrics::workers(R::NAME, -1.0);
        let result = match ended {
            Ok(Retry::No) => {
                self.backoff.reset(key);
                "success"
            }
            Ok(Retry::Slow) => {
                self.queue.add_after(key.clone(), Backoff::slow());
                "requeue_after"
            }
            Ok(Retry::Look) => {
                self.queue.add_after(key.clone(), Backoff::look());
                "requeue_after"
            }
            Ok(Retry::Soon) => {
                self.queue.add_after(key.clone(), self.backoff.failed(key));
                "requeue"
            }
            Err(error) => {
                let delay = self.backoff.failed(key);
                tracing::warn!(%error, retry_in = ?delay, "reconcile failed");
                self.queue.add_after(key.clone(), delay);
                "error"
            }
        };
        metrics::reconciled(R::NAME, result, started.elapsed().as_secs_f64());
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Retry, Failure> {
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
            self.controller.take(&resource, validated, &self.view)?;
            Ok(plan)
        });
        if plan.is_err() {
            self.controller.let_go(key);
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
        if let Some(delay) = self.controller.recheck(&next, now) {
            self.queue.add_after(key.clone(), delay);
        }
        Ok(retry.max(written))
    }

    /// Applies the plan, if there is one. `None` when the namespace is going: there is nothing to say.
    async fn carry_out(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        plan: Result<Plan<Prepared>, Vec<idp_core::Problem>>,
    ) -> (Option<Outcome>, Retry) {
        let parent = Parent::of::<R>(resource);
        match plan {
            Ok(plan) => {
                let progress = self.applier.apply(&parent, plan).await;
                if progress.news {
                    self.queue.add(key.clone());
                }
                let outcome = (!progress.namespace_gone).then_some(Outcome::Applied(progress.applied));
                (outcome, progress.retry)
            }
            // Whatever would allow a plan is an event.
            Err(problems) => (
                Some(Outcome::Refused {
                    problems,
                    existing: self.applier.existing(&parent),
                }),
                Retry::No,
            ),
        }
    }

    async fn finalize(&self, key: &ObjectKey, resource: &Arc<R::Resource>) -> Result<Retry, Failure> {
        if !Self::is_held(resource) {
            // Owner references do the rest.
            return Ok(Retry::No);
        }
        let parent = Parent::of::<R>(resource);
        if !self.applier.release(&parent).await {
            // Each deletion is an event.
            return Ok(Retry::Look);
        }
        match self.controller.finalize(resource, &self.view).await? {
            None => {
                self.release(key, resource).await?;
                Ok(Retry::No)
            }
            Some(status) => {
                self.write_status(key, resource, &status).await?;
                Ok(Retry::Soon)
            }
        }
    }

    /// Writes the status if it differs. The version that it was computed from is a precondition; where
    /// that fails the resource has changed, and is reconciled again.
    async fn write_status(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        next: &R::Status,
    ) -> Result<Retry, Failure> {
        let previous = R::current_status(resource);
        if previous == Some(next) {
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
        self.view.resources.writing(key);
        let answer = self
            .api
            .merge::<R::Resource>(self.identity.kind, key, "/status", &patch)
            .await;
        match answer {
            Ok(written) => {
                if self.view.resources.wrote(key, Some(written)) {
                    self.queue.add(key.clone());
                }
                self.events.transition(&resource.object_ref(&()), previous, next);
                Ok(Retry::No)
            }
            Err(error) => {
                self.view.resources.wrote(key, None);
                match error.code() {
                    Some(404) => Ok(Retry::No),
                    Some(409) => Ok(Retry::Soon),
                    _ => Err(error.into()),
                }
            }
        }
    }

    /// An event of the reconciled kind.
    pub(crate) fn on_resource(&self, event: Event<R::Resource>) {
        let resources = &self.view.resources;
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let key = ObjectKey::of(&object);
                if let Change::Changed { respecified } = resources.observe(object) {
                    self.queue.add(key);
                    respecified
                        .iter()
                        .for_each(|resource| self.on_respecified(resource));
                }
            }
            Event::Delete(object) => {
                if let Some(gone) = resources.vanish(&object) {
                    self.on_gone(&gone);
                }
            }
            Event::Init => resources.relist_began(),
            Event::InitDone => resources.relist_done().iter().for_each(|gone| self.on_gone(gone)),
        }
    }

    /// An event of a watched kind.
    pub(crate) fn wake(&self, wakes: Vec<Wake>) {
        for wake in wakes {
            match wake {
                Wake::One(key) => {
                    if self.view.resources.contains(&key) {
                        self.queue.add(key);
                    }
                }
                Wake::Owner(key, uid) => {
                    let known = self.view.resources.get(&key).and_then(|known| known.uid());
                    if known == Some(uid) {
                        self.queue.add(key);
                    }
                }
                Wake::Namespace(namespace) => {
                    let keys = self.view.resources.keys_in(&namespace);
                    keys.into_iter().for_each(|key| self.queue.add(key));
                }
                Wake::All => self
                    .view
                    .resources
                    .keys()
                    .into_iter()
                    .for_each(|key| self.queue.add(key)),
            }
        }
    }

    fn on_gone(&self, resource: &R::Resource) {
        let key = ObjectKey::of(resource);
        self.queue.forget(&key);
        self.backoff.reset(&key);
        self.controller.let_go(&key);
        self.on_respecified(resource);
    }

    fn on_respecified(&self, resource: &R::Resource) {
        // Before the first list is complete everything is in the queue anyway.
        if self.view.resources.synced() {
            let affected = self.controller.affected_by(resource, &self.view);
            affected.into_iter().for_each(|key| self.queue.add(key));
        }
    }
}
