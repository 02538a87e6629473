//! Runs actions: the only code that annotates or deletes objects that the plan does not contain.
//!
//! Each action reads the live object first and sends its UID and version as preconditions. If the object changed in
//! between, it is read again; if the action's own conditions are no longer true, nothing is done.

use std::{collections::BTreeMap, sync::Arc};

use idp_core::{Acted, Action, Deed, Effect, ObjectKey, action::Claimant};
use kube::{
    ResourceExt,
    core::{DynamicObject, TypeMeta},
};
use serde_json::{Value, json};
use tracing::Instrument;

use super::{refusal::Refusal, retry::Retry};
use crate::{
    client::request::{Api, ApiError},
    object::identity::Identity,
    observability::metrics,
    store::stores::Stores,
};

/// How often an action is tried on an object that others write too.
const MAX_TRIES: u32 = 5;

/// Runs actions.
pub(crate) struct ActionRunner {
    pub(crate) api: Api,
    pub(crate) caches: Arc<Stores>,
    pub(crate) identity: Identity,
}

impl ActionRunner {
    /// Runs actions without a plan, and returns when to retry: all are settled if there is nothing to retry.
    pub(crate) async fn run_all(&self, actions: Vec<Action>) -> Retry {
        let mut again = Retry::No;
        for action in actions {
            let (acted, refusal) = self.run(action).await;
            if let Some(refusal) = &refusal {
                tracing::warn!(kind = %acted.action.kind, object = acted.action.name, ?refusal, "Action rejected.");
                again = again.max(Retry::after(refusal));
            }
            again = again.max(retry(&acted));
        }
        again
    }

    /// Runs one action.
    pub(crate) async fn run(&self, action: Action) -> (Acted, Option<Refusal>) {
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
        let mut tries = MAX_TRIES;
        loop {
            let live = self.api.find(action.kind, key).await?;
            let Some(mut live) = live.filter(|live| live.uid().as_deref() == Some(action.uid.as_str()))
            else {
                return Ok((Effect::Moot, None));
            };
            // Items of a list may lack their kind.
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
                    log(self.identity.name, action);
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

/// When to retry an action: the caches may not have the change that overtook it yet.
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

fn log(controller: &'static str, action: &Action) {
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
            tracing::info!(%kind, namespace, object = name, uid, because, "Object annotated.");
            metrics::acted(controller, *kind, "annotated");
        }
        Deed::Delete => {
            tracing::warn!(%kind, namespace, object = name, uid, because, "Object deleted with its data.");
            metrics::acted(controller, *kind, "deleted");
        }
    }
}

#[cfg(test)]
mod tests;
