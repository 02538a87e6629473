//! The controller of ClaimClasses: it says what is wrong with a class before anybody uses it, and deletes claims of the
//! class that outlived their bindings, once somebody said so and their time is over.

use std::{sync::Arc, time::Duration};

use idp_api::{ClaimClass, ClaimClassStatus, kinds::CLAIM_BINDING};
use idp_core::{
    ConditionSet, Kind, Plan, Prepared, Problem,
    condition::{READY, STALLED},
};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;
use kube::{Client, ResourceExt};

use crate::{
    controller::NAME,
    data::{self, Held},
    facts::{self, ClaimFacts},
    kinds::Kinds,
    marks, offer, reason,
    tombstone::is_due,
};

/// The controller of ClaimClasses.
#[derive(Clone)]
pub struct ClaimClassController {
    /// For deletions: no plan does them.
    pub client: Client,
    /// What it works with.
    pub kinds: Arc<Kinds>,
}

/// What there is of a class.
#[derive(Default)]
pub struct Observed {
    kind: Option<Kind>,
    served: bool,
    kept: u32,
    next_deletion: Option<String>,
}

impl Reconcile for ClaimClassController {
    type Resource = ClaimClass;
    type Observed = Observed;
    type Validated = ();
    type Status = ClaimClassStatus;

    const NAME: &'static str = "idp-claim-classes";

    fn watches(&self) -> Vec<Watch> {
        let claims = self.kinds.claims.iter().map(|kind| {
            Watch::related(*kind, Targets::Named(facts::class_of), marks::CLASS)
                .facts(kept_facts)
                .optional()
        });
        let bindings = Watch::related(CLAIM_BINDING, Targets::Named(nobody), "");
        claims.chain([bindings]).collect()
    }

    fn current_status(class: &ClaimClass) -> Option<&ClaimClassStatus> {
        class.status.as_ref()
    }

    async fn observe(&self, class: &Arc<ClaimClass>, view: &View<Self>) -> Result<Observed, ObserveError> {
        let now = Timestamp::now();
        let resource = &class.spec.resource;
        let kind = self.kinds.claim(&resource.api_version, &resource.kind);
        let mut observed = Observed {
            served: kind.is_some_and(|kind| view.is_served(kind)),
            kind,
            ..Observed::default()
        };
        for held in self.kept(&class.name_any(), view) {
            let Some(tombstone) = &held.claim.tombstone else {
                continue;
            };
            // What has a binding is that controller's.
            let is_orphan = view
                .facts(CLAIM_BINDING, &held.namespace, &held.claim.name)
                .is_none();
            if is_orphan && is_due(tombstone, now) && !held.claim.deleting {
                let gone = data::destroy(&self.client, &held, now).await;
                let gone = gone.map_err(|error| ObserveError {
                    source_name: "claims",
                    message: error.to_string(),
                })?;
                if gone {
                    continue;
                }
            }
            observed.kept += 1;
            // Also of one that has a binding yet: that may be going, which is no event of the class.
            if tombstone.delete && !held.claim.deleting {
                let next = observed
                    .next_deletion
                    .get_or_insert_with(|| tombstone.until.clone());
                *next = next.clone().min(tombstone.until.clone());
            }
        }
        Ok(observed)
    }

    fn validate(&self, _: &ClaimClass, _: &Observed) -> Result<(), Vec<Problem>> {
        Ok(())
    }

    fn plan(&self, (): &()) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan::default())
    }

    fn status(
        &self,
        class: &ClaimClass,
        observed: &Observed,
        _: Option<&()>,
        _: &Outcome,
        now: Timestamp,
    ) -> ClaimClassStatus {
        let before = class
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let problems = problems(class, observed);
        let (ready, why, message) = match problems.first() {
            None => (true, "Usable", "applications may use it".to_owned()),
            Some(problem) => (false, problem.reason.as_str(), problem.message.clone()),
        };
        ClaimClassStatus {
            observed_generation: class.metadata.generation,
            conditions: ConditionSet::new(before, class.metadata.generation, now)
                .set(READY, ready, why, message.clone())
                .set_abnormal(STALLED, !ready, why, message)
                .finish(),
            problems,
            kept: observed.kept,
            next_deletion: observed.next_deletion.clone(),
        }
    }

    fn recheck(&self, status: &ClaimClassStatus, now: Timestamp) -> Option<Duration> {
        let next: Timestamp = status.next_deletion.as_ref()?.parse().ok()?;
        // Never at once: what is due is being done, and its end is an event.
        Some(
            Duration::try_from(next.duration_since(now))
                .unwrap_or_default()
                .max(Duration::from_secs(5)),
        )
    }
}

impl ClaimClassController {
    /// The claims of a class that nobody wants.
    fn kept(&self, class: &str, view: &View<Self>) -> Vec<Held> {
        let target = ObjectKey::new("", class);
        let of_kind = |kind: &Kind| {
            let kind = *kind;
            // What the broker itself remembers, and cannot fail to read; nothing is remembered of a claim in use.
            let found = view.about(kind, &target).unwrap_or_default().into_iter();
            found.filter_map(move |(key, claim): (ObjectKey, Option<ClaimFacts>)| {
                let (namespace, claim) = (key.namespace, claim?);
                Some(Held {
                    namespace,
                    kind,
                    claim,
                })
            })
        };
        let mut kept: Vec<Held> = self.kinds.claims.iter().flat_map(of_kind).collect();
        kept.sort_by(|one, other| {
            (&one.namespace, &one.claim.name).cmp(&(&other.namespace, &other.claim.name))
        });
        kept
    }
}

fn problems(class: &ClaimClass, observed: &Observed) -> Vec<Problem> {
    let resource = &class.spec.resource;
    let named = format!("{} {}", resource.api_version, resource.kind);
    let mut problems = offer::check(&class.spec);
    if observed.kind.is_none() {
        problems.push(
            Problem::error(
                reason::KIND_NOT_WATCHED,
                format!("the claim broker does not know the kind {named}"),
            )
            .at("spec.resource")
            .hint(format!(
                "start {NAME} with --claim-kind, and give its ClusterRole the kind"
            )),
        );
    } else if !observed.served {
        problems.push(
            Problem::error(
                reason::KIND_NOT_SERVED,
                format!("the cluster has no kind {named}"),
            )
            .at("spec.resource")
            .hint("install Crossplane and platform/compositions; it is noticed within half a minute"),
        );
    }
    problems
}

/// Of a claim that somebody wants, nothing: its comings and goings do not concern the class.
fn kept_facts(claim: &kube::core::DynamicObject) -> serde_json::Value {
    match marks::annotation(&claim.metadata, marks::RELEASED_AT) {
        Some(_) => facts::claim(claim),
        None => serde_json::Value::Null,
    }
}

/// A binding concerns its class only once its claim does.
fn nobody(_: &kube::core::DynamicObject) -> Option<ObjectKey> {
    None
}
