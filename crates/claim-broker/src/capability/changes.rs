//! Which namespaces' plans may have changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    stream::{BoxStream, select_all, unfold},
};
use idp_api::{
    ClaimBinding,
    kinds::{CLAIM_BINDING, CLAIM_CLASS},
};
use idp_core::hash;
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;
use serde_json::json;

use super::observe;
use crate::{
    binding::caches::Caches,
    kinds::{Kinds, NAMESPACE},
};

/// How long changes are collected before they are reported: 300 claims that become ready together are one change.
const COLLECT: Duration = Duration::from_millis(250);
/// Most items of one application: more room than that in a quota makes no difference.
const MAX_ITEMS: usize = 48;

/// A change in the caches.
enum Change {
    /// A class: it affects all namespaces.
    Class,
    /// The labels of a namespace.
    Namespace(String),
    /// A binding or claim of a namespace: only some of these affect a plan.
    Object(String),
}

/// Namespaces whose plans may have changed; an empty list means all.
pub(super) fn stale_namespaces(
    view: View<ClaimBinding>,
    kinds: Arc<Kinds>,
) -> BoxStream<'static, Vec<String>> {
    let object = |key: ObjectKey| Change::Object(key.namespace);
    let mut changes = vec![
        view.changes(CLAIM_CLASS).map(|_| Change::Class).boxed(),
        view.changes(NAMESPACE)
            .map(|key| Change::Namespace(key.name))
            .boxed(),
        view.changes(CLAIM_BINDING).map(object).boxed(),
    ];
    changes.extend(
        kinds
            .claims
            .iter()
            .map(|kind| view.changes(*kind).map(object).boxed()),
    );
    let caches = Caches {
        kinds: &kinds,
        view: &view,
    };
    let namespaces: BTreeSet<String> = view
        .resources()
        .iter()
        .filter_map(|binding| binding.namespace())
        .collect();
    let digests: BTreeMap<String, String> = namespaces
        .into_iter()
        .map(|name| (name.clone(), digest(&name, &caches)))
        .collect();
    let state = (select_all(changes), digests, view, kinds);
    unfold(state, |(mut changes, mut digests, view, kinds)| async move {
        loop {
            let mut collected = vec![changes.next().await?];
            tokio::time::sleep(COLLECT).await;
            while let Some(Some(change)) = changes.next().now_or_never() {
                collected.push(change);
            }
            let caches = Caches {
                kinds: &kinds,
                view: &view,
            };
            if let Some(stale) = stale(collected, &mut digests, &caches) {
                return Some((stale, (changes, digests, view, kinds)));
            }
        }
    })
    .boxed()
}

/// The namespaces to report after `changes`; an empty list means all.
fn stale(
    changes: Vec<Change>,
    digests: &mut BTreeMap<String, String>,
    caches: &Caches<'_>,
) -> Option<Vec<String>> {
    let (mut stale, mut suspects) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        match change {
            Change::Class => return Some(all(digests)),
            Change::Namespace(name) | Change::Object(name) if name.is_empty() => return Some(all(digests)),
            Change::Namespace(name) => {
                stale.insert(name);
            }
            Change::Object(name) => {
                suspects.insert(name);
            }
        }
    }
    for name in suspects {
        let digest = digest(&name, caches);
        if digests.insert(name.clone(), digest.clone()).as_ref() != Some(&digest) {
            stale.insert(name);
        }
    }
    (!stale.is_empty()).then(|| stale.into_iter().collect())
}

/// All namespaces are reported, so their digests no longer count.
fn all(digests: &mut BTreeMap<String, String>) -> Vec<String> {
    digests.clear();
    Vec::new()
}

/// What plans of a namespace depend on besides their own bindings: the room in quotas, and retained data.
fn digest(namespace: &str, caches: &Caches<'_>) -> String {
    let known = observe::known(namespace, caches);
    let room = known.classes.iter().map(|(name, class)| {
        let quota = class.per_namespace() as usize;
        let room = quota.saturating_sub(known.counted(name).len());
        (name, room.min(MAX_ITEMS))
    });
    let retained = known.claims.iter().filter_map(|(name, claim)| {
        let binding = known.bindings.get(name);
        let matters = binding.is_none_or(|binding| binding.spec.released) || claim.deleting;
        matters.then(|| {
            (
                name,
                json!([claim.tombstone, claim.deleting, claim.application, claim.class]),
            )
        })
    });
    let released = known.bindings.iter().filter(|(_, binding)| binding.spec.released);
    let released: BTreeMap<_, _> = released
        .map(|(name, binding)| (name, json!(binding.phase)))
        .collect();
    hash::of(&json!([
        room.collect::<BTreeMap<_, _>>(),
        retained.collect::<BTreeMap<_, _>>(),
        released
    ]))
}
