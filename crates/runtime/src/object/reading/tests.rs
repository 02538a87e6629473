use kube::CustomResource;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::*;

#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, JsonSchema)]
#[kube(
    group = "test.idp.dev",
    version = "v1",
    kind = "Thing",
    namespaced,
    status = "ThingStatus"
)]
#[serde(rename_all = "camelCase")]
struct ThingSpec {
    image: String,
    #[serde(default)]
    count: i32,
    #[serde(default)]
    hosts: Vec<Host>,
    #[serde(default)]
    free: Value,
}

#[derive(Serialize, Deserialize, Clone, Debug, JsonSchema)]
struct Host {
    host: String,
    #[serde(default)]
    port: u16,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, JsonSchema)]
struct ThingStatus {
    #[serde(default)]
    ready: bool,
}

/// `{"a":{"a":…}}`, without a recursion of our own.
fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

fn thing(name: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"test.idp.dev/v1","kind":"Thing","metadata":{{"name":"{name}","namespace":"shop","uid":"u","resourceVersion":"7"}},"spec":{spec}}}"#
    )
}

fn list_of(items: &[String]) -> kube::core::ObjectList<RawObject> {
    let text = format!(
        r#"{{"kind":"ThingList","apiVersion":"test.idp.dev/v1","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#,
        items.join(",")
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_object_of_any_depth_leaves_the_others_of_its_list_readable() {
    for levels in [128, 200, 9_000] {
        // What comes after it is not on the way to it.
        let bad = format!(r#"{{"free":{},"hosts":[],"image":"a"}}"#, deep(levels));
        let list = list_of(&[
            thing("one", r#"{"image":"a"}"#),
            thing("deep", &bad),
            thing("two", r#"{"image":"b"}"#),
        ]);
        let (good, bad): (Vec<_>, Vec<_>) = list
            .items
            .into_iter()
            .map(RawObject::typed::<Thing>)
            .partition(Result::is_ok);
        assert_eq!(good.len(), 2);
        let unreadable = bad.into_iter().next().unwrap().unwrap_err();
        assert_eq!(unreadable.key(), ObjectKey::new("shop", "deep"));
        assert_eq!(unreadable.error.path, "spec.free.a.a…");
        assert_eq!(unreadable.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(
            unreadable.rest.unwrap().spec.image,
            "a",
            "the rest is there to be looked at"
        );
    }
}

#[test]
fn so_does_an_event_of_a_watch() {
    let line = format!(
        r#"{{"type":"MODIFIED","object":{}}}"#,
        thing("deep", &deep(5_000))
    );
    let event: kube::core::WatchEvent<RawObject> = serde_json::from_str(&line).unwrap();
    let kube::core::WatchEvent::Modified(seen) = event else {
        panic!()
    };
    assert_eq!(seen.key().name, "deep");
    assert!(seen.error().is_some());
    assert!(seen.dynamic().data["spec"]["a"]["a"]["a"].is_object());
}

#[test]
fn arrays_are_cut_off_too_and_managed_fields_are_nobodys_flaw() {
    let array = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let seen: RawObject = serde_json::from_str(&thing("a", &format!(r#"{{"free":{array}}}"#))).unwrap();
    assert_eq!(seen.error().unwrap().path, "spec.free[0][0]…");
    let managed = format!(
        r#"{{"metadata":{{"name":"a","managedFields":[{{"manager":"m","fieldsV1":{}}}]}},"spec":{{}}}}"#,
        deep(150)
    );
    let seen: RawObject = serde_json::from_str(&managed).unwrap();
    assert_eq!(seen.error(), None);
    assert_eq!(
        seen.metadata.managed_fields.unwrap()[0].manager.as_deref(),
        Some("m")
    );
}

#[test]
fn what_does_not_fit_the_type_is_named_and_taken_out() {
    let spec =
        r#"{"image":"a","count":9999999999,"hosts":[{"host":"a"},{"host":"b","port":99999},{"host":"c"}]}"#;
    let seen: RawObject = serde_json::from_str(&thing("a", spec)).unwrap();
    let unreadable = seen.typed::<Thing>().unwrap_err();
    assert_eq!(unreadable.error.path, "spec.count");
    let rest = unreadable.rest.unwrap();
    assert_eq!(rest.spec.count, 0);
    let hosts: Vec<&str> = rest.spec.hosts.iter().map(|host| host.host.as_str()).collect();
    assert_eq!(hosts, ["a", "b", "c"]);
    let nothing: RawObject = serde_json::from_str(&thing("a", r#"{"image":7}"#)).unwrap();
    let unreadable = nothing.typed::<Thing>().unwrap_err();
    assert!(unreadable.rest.is_none(), "without its image it is nothing");
    assert_eq!(unreadable.error.path, "spec.image");
}

#[test]
fn a_status_of_a_newer_controller_is_no_flaw() {
    let mut object = json!({
        "metadata": {"name": "a"}, "spec": {"image": "a"}, "status": {"ready": "perhaps"},
    });
    let read = |object: &Value| {
        let seen: RawObject = serde_json::from_value(object.clone()).unwrap();
        seen.typed::<Thing>().unwrap()
    };
    assert!(read(&object).status.is_none());
    object["status"]["ready"] = true.into();
    assert!(read(&object).status.unwrap().ready);
}

#[test]
fn untyped_objects_are_as_kube_reads_them() {
    let text = thing(
        "a",
        r#"{"image":"a","numbers":[1,-1,1.5,null,true,18446744073709551615]}"#,
    );
    let seen: RawObject = serde_json::from_str(&text).unwrap();
    let expected: DynamicObject = serde_json::from_str(&text).unwrap();
    assert_eq!(seen.dynamic(), expected);
}
