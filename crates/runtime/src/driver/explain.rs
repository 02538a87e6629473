//! The status of a resource that has none of its own: it cannot be read, or the controller panicked on it.

use idp_core::{Condition, ConditionSet, Kind, ObjectKey, Problem, StatusView, condition};
use jiff::Timestamp;
use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    apply::retry::Retry,
    client::request::ApiError,
    driver::reconciler::{Driver, ReconcileError},
    observability::metrics,
    reasons,
    reconcile::Reconcile,
    store::primary::UnreadableResource,
};

/// Longest panic message in a status, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

impl<R: Reconcile> Driver<R> {
    /// Handles an unreadable resource: no objects change, and its status has the reason. If it could be read before and is
    /// being deleted, its last readable version is finalized.
    pub(crate) async fn haunt(
        &self,
        key: &ObjectKey,
        ghost: &UnreadableResource,
    ) -> Result<Retry, ReconcileError> {
        let kind = self.identity.kind.kind;
        let is_deleted = ghost.metadata.deletion_timestamp.is_some();
        if is_deleted
            && ghost.was_read
            && let Some(resource) = self.view.resources.get(key)
        {
            return self.finalize(key, &resource).await;
        }
        let hint = if is_deleted {
            format!(
                "Correct the field. {} can release its finalizer only after it has read the {kind}.",
                R::NAME
            )
        } else {
            "Correct or remove the field. Until then nothing is changed; what runs keeps running.".to_owned()
        };
        let problem = Problem::error(
            reasons::UNREADABLE,
            format!("{} cannot read this {kind}: {}", R::NAME, ghost.error.message),
        );
        let problem = if ghost.error.path.is_empty() {
            problem
        } else {
            problem.at(&ghost.error.path)
        };
        let conditions = Vec::<Condition>::deserialize(&ghost.status["conditions"]).unwrap_or_default();
        let reported = ghost.status["problems"] == json!([problem.clone().hint(hint.clone())]);
        let unready = conditions.iter().any(|found| {
            found.type_ == condition::READY
                && found.reason == reasons::UNREADABLE
                && found.observed_generation == ghost.metadata.generation
        });
        if reported && unready {
            return Ok(Retry::No);
        }
        self.explain(key, &ghost.metadata, &conditions, problem.hint(hint))
            .await
    }

    /// Reports in the status that the controller panicked, and returns the failure.
    pub(crate) async fn panicked(&self, key: &ObjectKey, message: String) -> ReconcileError {
        metrics::panicked(R::NAME);
        if let Some(resource) = self.view.resources.get(key) {
            let shown: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            let problem = Problem::error(
                reasons::CONTROLLER_PANICKED,
                format!("{} panicked on this {}: {shown}", R::NAME, self.identity.kind),
            );
            let status = R::current_status(&resource);
            if !status.is_some_and(|status| status.problems().contains(&problem)) {
                let conditions = status.map(StatusView::conditions).unwrap_or_default();
                if let Err(error) = self.explain(key, resource.meta(), conditions, problem).await {
                    tracing::warn!(%error, "Cannot write to the status that the controller panicked.");
                }
            }
        }
        ReconcileError::Panic(message)
    }

    /// Reports in the status that the finalizer cannot be released yet.
    pub(crate) async fn explain_unlisted(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        kind: Kind,
    ) -> Result<Retry, ReconcileError> {
        let message = format!(
            "{} may not list {}, so it cannot tell which of them this {} owns. The finalizer stays.",
            R::NAME,
            kind.plural,
            self.identity.kind
        );
        let problem = Problem::error(reasons::FORBIDDEN, message).hint(format!(
            "Ask the platform team to give the controller's ClusterRole list and watch of {}.",
            kind.plural
        ));
        let status = R::current_status(resource);
        if status.is_some_and(|status| status.problems().contains(&problem)) {
            return Ok(Retry::No);
        }
        let conditions = status.map(StatusView::conditions).unwrap_or_default();
        self.explain(key, resource.meta(), conditions, problem).await
    }

    /// Writes a status with this one problem. The other conditions stay.
    async fn explain(
        &self,
        key: &ObjectKey,
        metadata: &ObjectMeta,
        before: &[Condition],
        problem: Problem,
    ) -> Result<Retry, ReconcileError> {
        if !R::OWNS_STATUS {
            return Ok(Retry::No);
        }
        let kept: Vec<Condition> = before
            .iter()
            .filter(|found| found.type_ != condition::READY)
            .cloned()
            .collect();
        let ready = ConditionSet::new(before, metadata.generation, Timestamp::now())
            .set(condition::READY, false, &problem.reason, problem.message.clone())
            .finish();
        let conditions: Vec<Condition> = ready.into_iter().chain(kept).collect();
        let patch: Value = json!({
            "metadata": { "resourceVersion": metadata.resource_version },
            "status": { "conditions": conditions, "problems": [problem], "observedGeneration": metadata.generation },
        });
        let answer: Result<IgnoredAny, ApiError> =
            self.api.merge_status(self.identity.kind, key, &patch).await;
        match answer {
            Ok(_) => Ok(Retry::No),
            Err(error) => match error.code() {
                // The resource is gone, or its kind has no status.
                Some(404) => Ok(Retry::No),
                Some(409) => Ok(Retry::Soon),
                _ => Err(error.into()),
            },
        }
    }
}
