//! What is said on a resource of which there is no status to compute: it cannot be read, or the controller fails at it.

use idp_core::{Condition, ConditionSet, Kind, ObjectKey, Problem, StatusView, condition};
use jiff::Timestamp;
use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    apply::retry::Retry,
    client::request::ApiError,
    driver::reconciler::{Driver, Failure},
    observability::{metrics, unreadable::UNREADABLE},
    reconcile::Reconcile,
    store::primary::Ghost,
};

/// Longest message of a panic in a status.
const LONGEST: usize = 300;

impl<R: Reconcile> Driver<R> {
    /// A resource that cannot be read: nothing of it is changed, and its status says why. One that could be read before
    /// may go all the same, as what it was.
    pub(crate) async fn haunt(&self, key: &ObjectKey, ghost: &Ghost) -> Result<Retry, Failure> {
        let kind = self.identity.kind.kind;
        let goes = ghost.metadata.deletion_timestamp.is_some();
        if goes
            && ghost.was_read
            && let Some(resource) = self.view.resources.get(key)
        {
            return self.finalize(key, &resource).await;
        }
        let hint = if goes {
            format!(
                "correct the field, so that the {kind} can be read; it goes once {} knows what it holds",
                R::NAME
            )
        } else {
            "correct or remove the field; until then nothing of it is changed, and what ran before keeps running".to_owned()
        };
        let problem = Problem::error(
            UNREADABLE,
            format!("{} cannot read this {kind}: {}", R::NAME, ghost.error.message),
        );
        let problem = if ghost.error.path.is_empty() {
            problem
        } else {
            problem.at(&ghost.error.path)
        };
        let conditions = Vec::<Condition>::deserialize(&ghost.status["conditions"]).unwrap_or_default();
        let said = ghost.status["problems"] == json!([problem.clone().hint(hint.clone())]);
        let unready = conditions.iter().any(|found| {
            found.type_ == condition::READY
                && found.reason == UNREADABLE
                && found.observed_generation == ghost.metadata.generation
        });
        if said && unready {
            return Ok(Retry::No);
        }
        self.explain(key, &ghost.metadata, &conditions, problem.hint(hint))
            .await
    }

    /// Says on the resource that the controller panicked, and returns the failure.
    pub(crate) async fn panicked(&self, key: &ObjectKey, message: String) -> Failure {
        metrics::panicked(R::NAME);
        if let Some(resource) = self.view.resources.get(key) {
            let shown: String = message.chars().take(LONGEST).collect();
            let problem = Problem::error("ControllerPanicked", format!("{} failed at this {}: {shown}", R::NAME, self.identity.kind))
                .hint("this is a fault of the controller, which the platform team can report with its log; it is tried again");
            let status = R::current_status(&resource);
            if !status.is_some_and(|status| status.problems().contains(&problem)) {
                let conditions = status.map(StatusView::conditions).unwrap_or_default();
                if let Err(error) = self.explain(key, resource.meta(), conditions, problem).await {
                    tracing::warn!(%error, "the status does not say that the controller panicked");
                }
            }
        }
        Failure::Panic(message)
    }

    /// Says that the resource cannot go yet.
    pub(crate) async fn explain_unlisted(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        kind: Kind,
    ) -> Result<Retry, Failure> {
        let message = format!(
            "{} may not list {}, so what this {} owns of them cannot be released",
            R::NAME,
            kind.plural,
            self.identity.kind
        );
        let problem = Problem::error("Forbidden", message).hint(format!(
            "the platform team must give the controller's ClusterRole list and watch of {}",
            kind.plural
        ));
        let status = R::current_status(resource);
        if status.is_some_and(|status| status.problems().contains(&problem)) {
            return Ok(Retry::No);
        }
        let conditions = status.map(StatusView::conditions).unwrap_or_default();
        self.explain(key, resource.meta(), conditions, problem).await
    }

    /// Writes a status of one problem over what is there. What else the status holds stays.
    async fn explain(
        &self,
        key: &ObjectKey,
        metadata: &ObjectMeta,
        before: &[Condition],
        problem: Problem,
    ) -> Result<Retry, Failure> {
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
            self.api.merge(self.identity.kind, key, "/status", &patch).await;
        match answer {
            Ok(_) => Ok(Retry::No),
            Err(error) => match error.code() {
                // It is gone, or its kind has no status.
                Some(404) => Ok(Retry::No),
                Some(409) => Ok(Retry::Soon),
                _ => Err(error.into()),
            },
        }
    }
}
