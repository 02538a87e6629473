//! The controller of ClaimClasses: it says what is wrong with a class before anybody uses it, and deletes claims of the
//! class that outlived their bindings, once somebody said so and their time is over.

use std::{sync::Arc, time::Duration};

use idp_api::{ClaimClass, ClaimClassStatus, kinds::CLAIM_BINDING};
use idp_core::{
    Action, ConditionSet, Kind, Plan, Prepared, Problem,
    condition::{READY, STALLED},
};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    controller::NAME,
    data::Held,
    facts::{self, ClaimFacts},
    kinds::Kinds,
    marks, offer, reason, tombstone,
};

/// The controller of ClaimClasses.
#[derive(Clone)]
pub struct ClaimClassController {
    /// What it works with.
    pub kinds: Arc<Kinds>,
}

/// What there is of a class.
#[derive(Default)]
pub struct Observed {
    kind: Option<Kind>,
    served: bool,
    /// Its claims that nobody wants.
    kept: Vec<Kept>,
    now: Timestamp,
}

/// A claim that nobody wants.
struct Kept {
    held: Held,
    /// Whether it has no binding: what has one is that controller's.
    is_orphan: bool,
}

impl Reconcile for ClaimClassController {
    type Resource = ClaimClass;
    type Observed = Observed;
    type Validated = Vec<Action>;
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

    async fn observe(
        &self,
        class: &Arc<ClaimClass>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        let now = Timestamp::now();
        let resource = &class.spec.resource;
        let kind = self.kinds.claim(&resource.api_version, &resource.kind);
        let kept = self.kept(&class.name_any(), view).into_iter();
        Ok(Observed {
            served: kind.is_some_and(|kind| view.is_served(kind)),
            kind,
            kept: kept
                .map(|held| Kept {
                    is_orphan: view
                        .facts(CLAIM_BINDING, &held.namespace, &held.claim.name)
                        .is_none(),
                    held,
                })
                .collect(),
            now,
        })
    }

    /// A class that cannot be used says what becomes of its data all the same.
    fn validate(&self, class: &ClaimClass, observed: &Observed) -> Result<Vec<Action>, Vec<Problem>> {
        let orphans = observed.kept.iter().filter(|kept| kept.is_orphan);
        let actions = orphans.filter_map(|kept| {
            let act = tombstone::decide(&kept.held.claim, false, false, Some(&class.spec), observed.now);
            tombstone::action(&kept.held, &act)
        });
        Ok(actions.collect())
    }

    fn plan(&self, actions: &Vec<Action>) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan {
            actions: actions.clone(),
            ..Plan::default()
        })
    }

    fn status(
        &self,
        class: &ClaimClass,
        observed: &Observed,
        _: Option<&Vec<Action>>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> ClaimClassStatus {
        let before = class
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let mut problems = problems(class, observed);
        let left = left(observed, outcome);
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
            problems: {
                // What could not be deleted is told here, and keeps nobody from using the class.
                if let Outcome::Applied(plan) = outcome {
                    problems.extend(plan.problems.iter().cloned());
                }
                problems
            },
            kept: u32::try_from(left.len()).unwrap_or(u32::MAX),
            // Also of one that has a binding yet: that may be going, which is no event of the class.
            next_deletion: left
                .iter()
                .filter(|claim| !claim.deleting)
                .filter_map(|claim| claim.tombstone.as_ref())
                .filter(|tombstone| tombstone.delete)
                .map(|tombstone| tombstone.until.clone())
                .min(),
        }
    }

    fn requeue_after(&self, status: &ClaimClassStatus, now: Timestamp) -> Option<Duration> {
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
    fn kept(&self, class: &str, view: &View<ClaimClass>) -> Vec<Held> {
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

/// What is kept after the actions, as they left it.
fn left(observed: &Observed, outcome: &Outcome) -> Vec<ClaimFacts> {
    let acted = match outcome {
        Outcome::Applied(plan) => plan.actions.as_slice(),
        Outcome::Refused { .. } => &[],
    };
    let kept = observed.kept.iter().map(|kept| &kept.held.claim);
    kept.filter_map(
        |claim| match acted.iter().find(|acted| acted.action.uid == claim.uid) {
            Some(acted) => tombstone::after(claim, acted),
            None => Some(claim.clone()),
        },
    )
    .collect()
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
