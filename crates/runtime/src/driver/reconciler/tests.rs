use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream::BoxStream};
use idp_core::{Child, ConditionSet, Kind, Problem, StatusView, condition, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::events::Reporter;

use super::*;
use crate::{
    fake::{Fake, Gadget, GadgetStatus},
    object::reading::RawObject,
    reconcile::offline_view,
    store::{kind_store::Serving, watch::Watch},
};

const MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
const PATH: &str = "/apis/test.idp.dev/v1/namespaces/shop/gadgets/web";
const MAP: &str = "/api/v1/namespaces/shop/configmaps/web";

struct Gadgets;

impl Gadgets {
    /// Panics as `spec.panic` asks for.
    fn at(gadget: &Gadget, phase: &str) {
        assert_ne!(gadget.spec.panic, phase, "on purpose");
    }
}

impl Reconcile for Gadgets {
    type Resource = Gadget;
    type Observed = Gadget;
    type Validated = Gadget;
    type Status = GadgetStatus;

    const NAME: &'static str = "idp-gadgets";
    const FINALIZER: Option<&'static str> = Some("test.idp.dev/hold");

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::children(MAPS)]
    }

    /// Panics the first time.
    fn triggers(&self, _: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let named = futures::stream::iter([number]).map(|number| {
            assert!(number > 0, "on purpose");
            vec![ObjectKey::new("shop", "web")]
        });
        named.boxed()
    }

    fn current_status(resource: &Gadget) -> Option<&GadgetStatus> {
        resource.status.as_ref()
    }

    async fn observe(&self, gadget: &Arc<Gadget>, _: &View<Self::Resource>) -> Result<Gadget, ObserveError> {
        Self::at(gadget, "observe");
        Ok(Gadget::clone(gadget))
    }

    fn validate(&self, gadget: &Gadget, _: &Gadget) -> Result<Gadget, Vec<Problem>> {
        Self::at(gadget, "validate");
        Ok(gadget.clone())
    }

    fn plan(&self, gadget: &Gadget) -> Result<Plan<Prepared>, Vec<Problem>> {
        Self::at(gadget, "plan");
        let metadata = ObjectMeta {
            name: gadget.metadata.name.clone(),
            namespace: gadget.metadata.namespace.clone(),
            labels: Some(labels::for_child("web", Self::NAME)),
            ..ObjectMeta::default()
        };
        let mut plan = Plan::default();
        plan.children.push(Child::typed(
            MAPS,
            &metadata,
            &json!({ "data": gadget.spec.data }),
        ));
        Ok(plan)
    }

    fn status(
        &self,
        gadget: &Gadget,
        _: &Gadget,
        _: Option<&Gadget>,
        _: &Outcome,
        now: Timestamp,
    ) -> GadgetStatus {
        Self::at(gadget, "status");
        let before = gadget
            .status
            .as_ref()
            .map(StatusView::conditions)
            .unwrap_or_default();
        let works = gadget.spec.data.contains_key("works");
        GadgetStatus {
            conditions: ConditionSet::new(before, gadget.metadata.generation, now)
                .set(condition::READY, !works, "Applied", "")
                .set_abnormal(condition::RECONCILING, works, "Applied", "")
                .finish(),
            problems: Vec::new(),
        }
    }

    /// It takes a while with `spec.data.works`.
    fn is_progress(status: &GadgetStatus) -> bool {
        let mut conditions = status.conditions.iter();
        conditions.any(|condition| condition.type_ == condition::RECONCILING)
    }

    async fn finalize(
        &self,
        gadget: &Arc<Gadget>,
        _: &View<Self::Resource>,
    ) -> Result<Finalize<GadgetStatus>, ObserveError> {
        Self::at(gadget, "finalize");
        Ok(Finalize::Release(Vec::new()))
    }
}

impl StatusView for GadgetStatus {
    fn conditions(&self) -> &[idp_core::Condition] {
        &self.conditions
    }
    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

struct Lab {
    fake: Fake,
    driver: Arc<Driver<Gadgets>>,
}

impl Lab {
    fn new() -> Self {
        let fake = Fake::default();
        let view = offline_view(&Gadgets, [], []);
        let identity = view.identity;
        let api = Api::new(fake.client(), Gadgets::NAME);
        let (events, _) = Events::new(fake.client(), Reporter::from("tests"));
        let driver = Driver {
            applier: Applier::new(&api, &view.caches, identity),
            controller: Gadgets,
            identity,
            api,
            view,
            queue: Arc::default(),
            backoff: Backoff::default(),
            events,
            pulse: Arc::default(),
            held: HeldStatuses::default(),
            working: AtomicBool::new(false),
        };
        Self {
            fake,
            driver: Arc::new(driver),
        }
    }

    /// Writes the gadget as a user does, and tells the controller.
    fn gadget(&self, spec: &Value) {
        let generation = self
            .fake
            .object(PATH)
            .map_or(0, |old| old["metadata"]["generation"].as_i64().unwrap())
            + 1;
        let status = self
            .fake
            .object(PATH)
            .map(|old| old["status"].clone())
            .unwrap_or_default();
        self.fake.put(PATH, json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": generation, "finalizers": ["test.idp.dev/hold"]},
            "spec": spec, "status": status,
        }));
        self.see();
    }

    fn see(&self) {
        let seen: RawObject = serde_json::from_value(self.fake.object(PATH).unwrap()).unwrap();
        self.driver.on_resource(match seen.typed() {
            Ok(gadget) => ResourceEvent::Readable(Box::new(gadget)),
            Err(unreadable) => ResourceEvent::Unreadable(unreadable),
        });
    }

    /// The user deletes it.
    fn delete(&self) {
        let mut object = self.fake.object(PATH).unwrap();
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.fake.put(PATH, object);
        self.see();
    }

    async fn turn(&self) {
        self.driver.attempt(&ObjectKey::new("shop", "web")).await;
    }

    fn problem(&self) -> Value {
        self.fake.object(PATH).unwrap()["status"]["problems"][0].clone()
    }

    fn ready(&self) -> Value {
        let status = self.fake.object(PATH).unwrap()["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .into_iter()
            .find(|found| found["type"] == "Ready")
            .unwrap_or_default()
    }

    fn has_finalizer(&self) -> bool {
        !self.fake.object(PATH).unwrap()["metadata"]["finalizers"]
            .as_array()
            .unwrap()
            .is_empty()
    }
}

const STATUS: &str = "PATCH /apis/test.idp.dev/v1/namespaces/shop/gadgets/web/status";

#[tokio::test(start_paused = true)]
async fn what_is_done_in_a_moment_costs_one_status() {
    let lab = Lab::new();
    let child = format!("PATCH {MAP}");
    lab.gadget(&json!({"data": {"works": "1"}}));
    lab.turn().await;
    lab.gadget(&json!({"data": {"works": "2"}}));
    lab.turn().await;
    assert_eq!(
        lab.fake.take_log(),
        [child.as_str(), child.as_str()],
        "no word of progress"
    );
    lab.gadget(&json!({"data": {}}));
    lab.turn().await;
    assert_eq!(lab.fake.take_log(), [child.as_str(), STATUS]);
    assert_eq!(lab.ready()["status"], "True");
    lab.turn().await;
    assert!(lab.fake.take_log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_is_told() {
    let lab = Lab::new();
    let driver = lab.driver.clone();
    tokio::spawn(async move { driver.queue.run_delays().await });
    let began = Instant::now();
    lab.gadget(&json!({"data": {"works": "1"}}));
    for _ in 0..2 {
        let key = lab.driver.queue.next().await.unwrap();
        lab.driver.attempt(&key).await;
        lab.driver.queue.done(&key);
    }
    assert_eq!(lab.fake.take_log(), [format!("PATCH {MAP}").as_str(), STATUS]);
    assert_eq!(lab.ready()["status"], "False");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    // And nothing more, as long as it is so.
    let more = tokio::time::timeout(Duration::from_secs(3_600), lab.driver.queue.next()).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn workers_with_nothing_to_write_let_others_work() {
    let lab = Lab::new();
    let keys = (0..1_000).map(|n| ObjectKey::new("shop", n.to_string()));
    keys.for_each(|key| lab.driver.queue.add(key, Priority::Resync));
    let worker = tokio::spawn(lab.driver.clone().work());
    let driver = lab.driver.clone();
    // The renewal of a Lease, for instance.
    let other = tokio::spawn(async move { driver.queue.depth().0 });
    let left = other.await.unwrap();
    assert!(left > 900, "{left} of 1000 were left when it had its first turn");
    lab.driver.queue.close();
    worker.await.unwrap();
}

#[tokio::test]
async fn after_a_start_what_is_not_settled_comes_first() {
    let lab = Lab::new();
    let see = |name: &str, observed: i64| {
        let condition = json!({"type": "Ready", "status": "True", "reason": "Any", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": observed});
        let object = json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "7", "generation": 2},
            "spec": {}, "status": {"conditions": [condition], "problems": []},
        });
        let seen: RawObject = serde_json::from_value(object).unwrap();
        lab.driver
            .on_resource(ResourceEvent::Readable(Box::new(seen.typed().unwrap())));
    };
    see("settled", 2);
    see("changed", 1);
    lab.driver
        .requeue(vec![Requeue::One(ObjectKey::new("shop", "settled"))]);
    assert_eq!(
        lab.driver.queue.next().await,
        Some(ObjectKey::new("shop", "changed"))
    );
    assert_eq!(
        lab.driver.queue.next().await,
        Some(ObjectKey::new("shop", "settled"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_cannot_be_read_says_so_and_keeps_what_it_has() {
    let lab = Lab::new();
    lab.gadget(&json!({"data": {"a": "1"}}));
    lab.turn().await;
    let child = lab.fake.object(MAP).unwrap();
    assert_eq!(lab.ready()["status"], "True");

    lab.gadget(&json!({"data": {"a": "2"}, "count": 9_999_999_999_i64}));
    lab.turn().await;
    let problem = lab.problem();
    assert_eq!(
        (&problem["reason"], &problem["path"]),
        (&json!("Unreadable"), &json!("spec.count"))
    );
    assert!(
        problem["hint"]
            .as_str()
            .unwrap()
            .contains("Correct or remove the field"),
        "{problem}"
    );
    assert_eq!(
        (&lab.ready()["status"], &lab.ready()["reason"]),
        (&json!("False"), &json!("Unreadable"))
    );
    assert_eq!(lab.fake.object(MAP).unwrap(), child, "nothing of it is changed");

    // Its own event, and every later look, writes nothing.
    lab.fake.take_log();
    lab.see();
    lab.turn().await;
    assert_eq!(lab.fake.take_log(), [""; 0]);

    lab.gadget(&json!({"data": {"a": "3"}, "count": 1}));
    lab.turn().await;
    assert_eq!(lab.problem(), Value::Null);
    assert_eq!(lab.ready()["status"], "True");
    assert_eq!(lab.fake.object(MAP).unwrap()["data"]["a"], "3");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_cannot_be_read_goes_as_what_it_was() {
    let lab = Lab::new();
    lab.gadget(&json!({"data": {"a": "1"}}));
    lab.turn().await;
    lab.gadget(&json!({"count": 9_999_999_999_i64}));
    lab.turn().await;
    lab.delete();
    lab.turn().await;
    assert!(!lab.has_finalizer());

    // Of one that could never be read, what it holds is not known.
    let lab = Lab::new();
    lab.gadget(&json!({"count": 9_999_999_999_i64}));
    lab.turn().await;
    lab.delete();
    lab.turn().await;
    assert!(lab.has_finalizer());
    assert!(
        lab.problem()["hint"]
            .as_str()
            .unwrap()
            .contains("only after it has read the Gadget"),
        "{}",
        lab.problem()
    );
}

#[tokio::test(start_paused = true)]
async fn a_resource_goes_only_when_all_that_it_owns_could_be_listed() {
    let lab = Lab::new();
    lab.gadget(&json!({}));
    lab.delete();
    let cache = lab.driver.view.caches.iter().next().unwrap().clone();
    cache.not_served(Serving::Forbidden);
    lab.turn().await;
    assert!(
        lab.has_finalizer(),
        "children that nobody has seen would be orphaned"
    );
    assert_eq!(lab.problem()["reason"], "Forbidden");
    lab.fake.take_log();
    lab.see();
    lab.turn().await;
    assert_eq!(lab.fake.take_log(), [""; 0], "said once");
    cache.relist_began();
    cache.relist_done();
    lab.turn().await;
    assert!(!lab.has_finalizer());

    // What does not exist, nobody owns.
    let lab = Lab::new();
    lab.gadget(&json!({}));
    lab.delete();
    lab.driver
        .view
        .caches
        .iter()
        .for_each(|cache| drop(cache.not_served(Serving::Missing)));
    lab.turn().await;
    assert!(!lab.has_finalizer());
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_resource_its_turn() {
    for phase in ["observe", "validate", "plan", "status", "finalize"] {
        let lab = Lab::new();
        lab.gadget(&json!({"panic": phase}));
        if phase == "finalize" {
            lab.delete();
        }
        lab.turn().await;
        let problem = lab.problem();
        assert_eq!(problem["reason"], "ControllerPanicked", "{phase}");
        assert!(
            problem["message"].as_str().unwrap().contains("on purpose"),
            "{problem}"
        );
        assert_eq!(lab.ready()["status"], "False");
        // It backs off: the queue hands it out later.
        let delayed = lab.driver.backoff.failed(&ObjectKey::new("shop", "web"));
        assert!(delayed > Duration::ZERO);
        lab.fake.take_log();
        lab.see();
        lab.turn().await;
        let log = lab.fake.take_log();
        assert!(
            !log.iter().any(|request| request.ends_with("/status")),
            "said once: {log:?}"
        );
        if phase != "finalize" {
            lab.gadget(&json!({}));
            lab.turn().await;
            assert_eq!(
                (lab.problem(), &lab.ready()["status"]),
                (Value::Null, &json!("True"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn workers_outlive_panics() {
    let lab = Lab::new();
    lab.gadget(&json!({"panic": "observe"}));
    let worker = tokio::spawn(lab.driver.clone().work());
    while lab.problem().is_null() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lab.gadget(&json!({}));
    while lab.ready()["status"] != "True" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!worker.is_finished());
    lab.driver.queue.close();
    worker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_triggers_ends_nothing() {
    let (lab, key) = (Lab::new(), ObjectKey::new("shop", "web"));
    lab.gadget(&json!({}));
    assert_eq!(lab.driver.queue.next().await, Some(key.clone()), "it is new");
    lab.driver.queue.done(&key);
    // It returns, as the second stream ends.
    crate::driver::triggers::run(lab.driver.clone()).await;
    let woken = tokio::time::timeout(Duration::from_secs(1), lab.driver.queue.next()).await;
    assert_eq!(woken, Ok(Some(key)));
}
