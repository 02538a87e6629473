//! Applications and their statuses.

use idp_api::WebApplication;
use idp_core::condition::READY;
use idp_testkit::fixtures::AppFixture;
use serde_json::Value;

/// An application on fake nodes; `spec` has its fields besides the image.
pub fn app(namespace: &str, name: &str, spec: &Value) -> WebApplication {
    let mut whole = serde_json::json!({ "image": "shop:1.0" });
    whole
        .as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let mut app = WebApplication::new(name, serde_json::from_value(whole).expect("the spec is valid"));
    app.metadata.namespace = Some(namespace.to_owned());
    app.on_fake_nodes()
}

/// Whether the current generation of the application is Ready.
pub fn is_ready(app: &WebApplication) -> bool {
    let Some(status) = &app.status else { return false };
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == READY);
    status.observed_generation == app.metadata.generation && ready.is_some_and(|ready| ready.is_true())
}

/// A condition of an application: its status and its message.
pub fn condition(app: &WebApplication, type_: &str) -> Option<(bool, String)> {
    let conditions = app.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|condition| condition.type_ == type_);
    found
        .next()
        .map(|condition| (condition.is_true(), condition.message.clone()))
}

/// The status of an application, for the message of a failed test.
pub fn why(app: &WebApplication) -> String {
    let status = app.status.clone().unwrap_or_default();
    let problems: Vec<_> = status.problems.iter().map(ToString::to_string).collect();
    format!(
        "{:?}, problems {problems:?}, generation {:?} of {:?}",
        condition(app, READY),
        status.observed_generation,
        app.metadata.generation
    )
}
