//! How many requests an application costs, from its creation until it is Ready.

use std::collections::BTreeMap;

use idp_testkit::{audit::Request, fixtures::typical};
use jiff::Timestamp;
use kube::{Api, ResourceExt, api::ListParams};

use crate::support::{Lab, rendered};

/// Applications created at once.
const COUNT: usize = 40;
/// How long a status that only reports progress is held back, in seconds.
const HELD: f64 = 2.0;

/// The number of requests for one application by purpose.
type Counts = BTreeMap<&'static str, usize>;

/// The requests of each application: names of children begin with its name.
fn by_application(requests: &[Request]) -> BTreeMap<String, Counts> {
    let mut all: BTreeMap<String, Counts> = BTreeMap::new();
    for request in requests {
        let purpose = match (request.verb.as_str(), request.resource.as_str()) {
            (_, "leases") => continue,
            (_, "webapplications/status") => "status",
            // Names of events consist of the application's and a number.
            (_, "events") => continue,
            ("watch", _) => continue,
            _ => "children",
        };
        let mut parts = request.name.split('-');
        let name = format!(
            "{}-{}",
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default()
        );
        *all.entry(name).or_default().entry(purpose).or_default() += 1;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_costs_its_children_one_status_and_one_event() {
    let lab = Lab::enter().await;
    let namespace = lab.test.namespace("requests").await.unwrap();
    let controller = lab.leader("requests").await;
    let apps: Vec<_> = (0..COUNT)
        .map(|number| typical(&namespace, &format!("app{number}-x")))
        .collect();
    let children = rendered(&apps).len() / COUNT;
    let audit = lab.audit();
    lab.create(apps).await;
    lab.all_ready(&namespace, COUNT).await;
    lab.settled().await;
    let requests = audit.requests().unwrap();
    let events = requests
        .iter()
        .filter(|request| request.resource == "events")
        .count();
    assert_eq!(events, COUNT, "one for each application, its warning included");
    for event in lab.events(&namespace).await {
        let note = event.message.unwrap_or_default();
        assert_eq!(event.reason.as_deref(), Some("Ready"), "{note}");
        assert!(note.contains("NoIssuer"), "{note}");
    }
    let counts = by_application(&requests);
    let apps: Api<idp_api::WebApplication> = lab.apps(&namespace);
    let (mut statuses, mut prompt) = (0, 0);
    for app in apps.list(&ListParams::default()).await.unwrap() {
        let name = app.name_any();
        let counts = &counts[&name];
        assert_eq!(counts["children"], children, "{name}: {counts:?}");
        // A second status is only for work that outlasts the holding back; then one per period.
        let took = seconds_until_ready(&app);
        assert!(
            f64::from(u32::try_from(counts["status"]).unwrap()) <= 1.0 + took / HELD,
            "{name} was ready after {took} s: {counts:?}"
        );
        statuses += counts["status"];
        prompt += usize::from(took < HELD);
    }
    eprintln!(
        "{COUNT} applications of {children} children, {prompt} of them ready within {HELD} s: {statuses} statuses, {events} events"
    );
    controller.stop().await.unwrap();
    lab.clean(&namespace).await;
}

/// The time from creation to the status Ready, in whole seconds, plus one.
fn seconds_until_ready(app: &idp_api::WebApplication) -> f64 {
    let created = app.creation_timestamp().unwrap().0;
    let conditions = app.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions
        .filter(|condition| condition.type_ == "Ready")
        .map(|condition| condition.last_transition_time.parse::<Timestamp>().unwrap())
        .next()
        .unwrap();
    ready.duration_since(created).as_secs_f64() + 1.0
}
