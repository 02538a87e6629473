//! What the broker answers over gRPC: plans of sections, from its caches.

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
use idp_core::{
    capability::{Description, SectionPlan, SectionRequest},
    hash,
};
use idp_rpc::capability::Capability;
use idp_runtime::{ObjectKey, View};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    kinds::{Kinds, NAMESPACE},
    observe, section,
};

/// Name of the capability.
pub const NAME: &str = "claims";
/// How long changes are collected before they are told: 300 claims that become ready at once are one change.
const COLLECT: Duration = Duration::from_millis(250);
/// Most things that one application may want: a quota with more room than that refuses nobody.
const MOST: usize = 48;

/// The claims capability.
pub struct ClaimCapability {
    /// The caches of the controller of bindings.
    pub view: View<ClaimBinding>,
    /// What it works with.
    pub kinds: Arc<Kinds>,
}

impl Capability for ClaimCapability {
    fn describe(&self) -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            section_schema: section::schema(),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        section::plan(
            request,
            &observe::known(&request.namespace, &self.kinds, &self.view),
        )
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        stale(self.view.clone(), self.kinds.clone())
    }
}

/// What changed.
enum Changed {
    /// A class: it concerns everybody.
    Class,
    /// The labels of a namespace.
    Namespace(String),
    /// A binding or claim of a namespace: few of these changes concern a plan.
    Object(String),
}

/// Namespaces whose plans may have changed.
fn stale(view: View<ClaimBinding>, kinds: Arc<Kinds>) -> BoxStream<'static, Vec<String>> {
    let object = |key: ObjectKey| Changed::Object(key.namespace);
    let mut changes = vec![
        view.changes(CLAIM_CLASS).map(|_| Changed::Class).boxed(),
        view.changes(NAMESPACE)
            .map(|key| Changed::Namespace(key.name))
            .boxed(),
        view.changes(CLAIM_BINDING).map(object).boxed(),
    ];
    changes.extend(
        kinds
            .claims
            .iter()
            .map(|kind| view.changes(*kind).map(object).boxed()),
    );
    let namespaces: BTreeSet<String> = view
        .resources()
        .iter()
        .filter_map(|binding| binding.namespace())
        .collect();
    let digests: BTreeMap<String, String> = namespaces
        .into_iter()
        .map(|name| (name.clone(), digest(&name, &kinds, &view)))
        .collect();
    let state = (select_all(changes), digests, view, kinds);
    unfold(state, |(mut changes, mut digests, view, kinds)| async move {
        loop {
            let mut collected = vec![changes.next().await?];
            tokio::time::sleep(COLLECT).await;
            while let Some(Some(change)) = changes.next().now_or_never() {
                collected.push(change);
            }
            if let Some(stale) = told(collected, &mut digests, &kinds, &view) {
                return Some((stale, (changes, digests, view, kinds)));
            }
        }
    })
    .boxed()
}

/// What is to be told of changes: an empty list means everybody.
fn told(
    changes: Vec<Changed>,
    digests: &mut BTreeMap<String, String>,
    kinds: &Kinds,
    view: &View<ClaimBinding>,
) -> Option<Vec<String>> {
    let (mut stale, mut looked_at) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        match change {
            Changed::Class => return Some(everybody(digests)),
            Changed::Namespace(name) | Changed::Object(name) if name.is_empty() => {
                return Some(everybody(digests));
            }
            Changed::Namespace(name) => {
                stale.insert(name);
            }
            Changed::Object(name) => {
                looked_at.insert(name);
            }
        }
    }
    for name in looked_at {
        let digest = digest(&name, kinds, view);
        if digests.insert(name.clone(), digest.clone()).as_ref() != Some(&digest) {
            stale.insert(name);
        }
    }
    (!stale.is_empty()).then(|| stale.into_iter().collect())
}

/// Everybody is told, and what was known of namespaces counts no more.
fn everybody(digests: &mut BTreeMap<String, String>) -> Vec<String> {
    digests.clear();
    Vec::new()
}

/// What plans depend on in a namespace besides what they themselves make: the room in quotas, and what is kept.
fn digest(namespace: &str, kinds: &Kinds, view: &View<ClaimBinding>) -> String {
    let known = observe::known(namespace, kinds, view);
    let room = known.classes.iter().map(|(name, class)| {
        let quota = class.per_namespace() as usize;
        (name, quota.saturating_sub(known.counted(name).len()).min(MOST))
    });
    let kept = known.claims.iter().filter_map(|(name, claim)| {
        let binding = known.bindings.get(name);
        let matters = binding.is_none_or(|binding| binding.spec.released) || claim.deleting;
        matters.then(|| {
            (
                name,
                json!([claim.tombstone, claim.deleting, claim.application, claim.class]),
            )
        })
    });
    let ended = known.bindings.iter().filter(|(_, binding)| binding.spec.released);
    let ended: BTreeMap<_, _> = ended
        .map(|(name, binding)| (name, json!(binding.phase)))
        .collect();
    hash::of(&json!([
        room.collect::<BTreeMap<_, _>>(),
        kept.collect::<BTreeMap<_, _>>(),
        ended
    ]))
}
