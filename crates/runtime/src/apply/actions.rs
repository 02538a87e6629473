//! Carries out actions: the only code that marks or deletes what the plan does not hold.
//!
//! Each reads the live object first, and acts on exactly what it read: UID and version are preconditions. What changed in
//! between is looked at once more, and if what was decided on is not true any more, nothing is done.

use std::collections::BTreeMap;

use idp_core::{Acted, Action, Deed, Effect, ObjectKey, action::Claimant};
use kube::{
    ResourceExt,
    core::{DynamicObject, TypeMeta},
};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{
    apply::{applier::Applier, refusal::Refusal, retry::Retry},
    client::request::ApiError,
    observability::metrics,
};

/// How often an object is looked at that somebody else writes too.
const TRIES: u32 = 5;

impl Applier {
    /// Carries out actions without a plan, and says whether to come back: all are settled where not.
    pub(crate) async fn act_all(&self, actions: Vec<Action>) -> Retry {
        let mut again = Retry::No;
        for action in actions {
            let (acted, refusal) = self.act(action).await;
            if let Some(refusal) = &refusal {
                tracing::warn!(kind = %acted.action.kind, object = acted.action.name, ?refusal, "an action was refused");
            }
            let refused = match refusal {
                None | Some(Refusal::NamespaceGone) => Retry::No,
                Some(Refusal::Transient(_)) => Retry::Soon,
                Some(Refusal::Unwatched(_)) => Retry::Poll,
                Some(Refusal::Lasting(_)) => Retry::Slow,
            };
            again = again.max(refused).max(retry(&acted));
        }
        again
    }

    /// Carries out one action.
    pub(crate) async fn act(&self, action: Action) -> (Acted, Option<Refusal>) {
        let key = ObjectKey::new(action.namespace.clone(), action.name.clone());
        let span = tracing::info_span!("act", kind = action.kind.kind, object = %key);
        let done = self.perform(&action, &key).instrument(span).await;
        let (effect, object, refusal) = match done {
            Ok((effect, object)) => (effect, object, None),
            Err(error) => (Effect::Failed, None, Some(Refusal::of(action.kind, &key, &error))),
        };
        let facts = object.and_then(|object| {
            let cache = self.caches.of_kind(action.kind).next()?;
            Some(Value::clone(&cache.extract(object).facts))
        });
        let acted = Acted {
            action,
            effect,
            facts,
        };
        (acted, refusal)
    }

    async fn perform(
        &self,
        action: &Action,
        key: &ObjectKey,
    ) -> Result<(Effect, Option<DynamicObject>), ApiError> {
        let mut tries = TRIES;
        loop {
            let live = self.api.find(action.kind, key).await?;
            let Some(mut live) = live.filter(|live| live.uid().as_deref() == Some(action.uid.as_str()))
            else {
                return Ok((Effect::Moot, None));
            };
            // Items of a list need not say their kind.
            live.types = Some(TypeMeta {
                api_version: action.kind.api_version(),
                kind: action.kind.kind.to_owned(),
            });
            if live.metadata.deletion_timestamp.is_some() {
                return Ok((Effect::Moot, Some(live)));
            }
            if !is_as_seen(action, &live) || self.is_claimed(action.claimant.as_ref()).await? {
                return Ok((Effect::Overtaken, Some(live)));
            }
            tries -= 1;
            match self.send_action(action, key, &live).await {
                // Changed, replaced or deleted since it was read.
                Err(error) if tries > 0 && matches!(error.code(), Some(404 | 409 | 422)) => {}
                Err(error) => return Err(error),
                Ok(object) => {
                    told(self.identity.name, action);
                    return Ok((Effect::Done, object));
                }
            }
        }
    }

    async fn send_action(
        &self,
        action: &Action,
        key: &ObjectKey,
        live: &DynamicObject,
    ) -> Result<Option<DynamicObject>, ApiError> {
        let version = live.resource_version().unwrap_or_default();
        match &action.deed {
            Deed::Annotate(annotations) => {
                let metadata =
                    json!({ "uid": action.uid, "resourceVersion": version, "annotations": annotations });
                self.api.annotate(action.kind, key, &metadata).await.map(Some)
            }
            Deed::Delete => {
                self.api
                    .delete_unchanged(action.kind, key, &action.uid, &version)
                    .await?;
                for cache in self.caches.of_kind(action.kind) {
                    cache.deletion_began(key, &action.uid);
                }
                Ok(None)
            }
        }
    }

    async fn is_claimed(&self, claimant: Option<&Claimant>) -> Result<bool, ApiError> {
        let Some(claimant) = claimant else {
            return Ok(false);
        };
        let key = ObjectKey::new(claimant.namespace.clone(), claimant.name.clone());
        let found = self.api.find(claimant.kind, &key).await?;
        Ok(found.is_some_and(|found| {
            found.metadata.deletion_timestamp.is_none()
                && found.data.pointer(claimant.pointer) != Some(&claimant.gives_way)
        }))
    }
}

/// Whether to come back for an action: what overtook it is an event that the caches may not hold yet.
pub(crate) fn retry(acted: &Acted) -> Retry {
    match acted.effect {
        Effect::Overtaken => Retry::Poll,
        Effect::Done | Effect::Moot | Effect::Failed => Retry::No,
    }
}

fn is_as_seen(action: &Action, live: &DynamicObject) -> bool {
    let same = |seen: &BTreeMap<String, Option<String>>, now: Option<&BTreeMap<String, String>>| {
        seen.iter()
            .all(|(name, value)| now.and_then(|now| now.get(name)) == value.as_ref())
    };
    same(&action.annotations, live.metadata.annotations.as_ref())
        && same(&action.labels, live.metadata.labels.as_ref())
}

fn told(controller: &'static str, action: &Action) {
    let Action {
        kind,
        namespace,
        name,
        uid,
        because,
        ..
    } = action;
    match action.deed {
        Deed::Annotate(_) => {
            tracing::info!(%kind, namespace, object = name, uid, because, "marked");
            metrics::acted(controller, *kind, "annotated");
        }
        Deed::Delete => {
            tracing::warn!(%kind, namespace, object = name, uid, because, "deleted with its data");
            metrics::acted(controller, *kind, "deleted");
        }
    }
}

#[cfg(test)]
mod tests;
