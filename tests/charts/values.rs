//! Values of the charts take effect, and invalid ones are rejected with their path.

use idp_testkit::chart::{CHARTS, Chart};
use serde_json::json;

use crate::only;

async fn image(chart: Chart) -> String {
    let deployment = only(&chart, "Deployment").await;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn images_come_from_a_registry_by_tag_or_by_digest() {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let chart = Chart::of("idp-webapp");
    assert_eq!(image(chart.clone()).await, "idp-webapp:0.1.0");
    let tagged = chart
        .with(r#"image.registry="registry.example:5000/team""#)
        .with(r#"image.tag="7""#);
    assert_eq!(
        image(tagged.clone()).await,
        "registry.example:5000/team/idp-webapp:7"
    );
    let pinned = tagged.with(&format!("image.digest={digest:?}"));
    assert_eq!(
        image(pinned.with(r#"image.repository="platform/webapp""#)).await,
        format!("registry.example:5000/team/platform/webapp@{digest}")
    );
}

#[tokio::test]
async fn values_reach_the_pod() {
    let chart = Chart::of("idp-claim-broker")
        .with(r#"image.pullSecrets=["pull"]"#)
        .with(r#"image.pullPolicy="Never""#)
        .with(r#"extraArgs=["--claim-kind=a.example/v1/A/as"]"#)
        .with(r#"extraEnv=[{"name":"IDP_LOG","value":"debug"}]"#)
        .with(r#"resources.limits.memory="1Gi""#)
        .with(r#"hostAliases=[{"ip":"10.0.0.1","hostnames":["a.example"]}]"#)
        .with(r#"nodeSelector={"disk":"fast"}"#)
        .with(r#"tolerations=[{"operator":"Exists"}]"#)
        .with(r#"affinity={"nodeAffinity":{}}"#)
        .with(r#"priorityClassName="system-cluster-critical""#)
        .with(r#"topologySpread.whenUnsatisfiable="DoNotSchedule""#)
        .with(r#"podAnnotations={"a":"b"}"#)
        .with(r#"podLabels={"c":"d","app.kubernetes.io/name":"stolen"}"#)
        .with("replicas=1");
    let deployment = only(&chart, "Deployment").await;
    assert_eq!(deployment["spec"]["replicas"], 1);
    let template = &deployment["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"], json!({"a": "b"}));
    assert_eq!(template["metadata"]["labels"]["c"], "d");
    let name = &template["metadata"]["labels"]["app.kubernetes.io/name"];
    assert_eq!(name, "idp-claim-broker", "otherwise its selector would not match");
    let (pod, container) = (&template["spec"], &template["spec"]["containers"][0]);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(pod["hostAliases"][0]["hostnames"], json!(["a.example"]));
    assert_eq!(pod["nodeSelector"], json!({"disk": "fast"}));
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(
        pod["topologySpreadConstraints"][1]["whenUnsatisfiable"],
        "DoNotSchedule"
    );
    assert_eq!(container["imagePullPolicy"], "Never");
    assert_eq!(
        container["args"].as_array().unwrap().last().unwrap(),
        "--claim-kind=a.example/v1/A/as"
    );
    assert_eq!(container["env"], json!([{"name": "IDP_LOG", "value": "debug"}]));
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    assert_eq!(
        container["resources"]["requests"]["cpu"], "50m",
        "the default stays"
    );
}

#[tokio::test]
async fn invalid_values_are_rejected_with_their_path() {
    let cases = [
        ("replicas=\"two\"", "/replicas"),
        ("replica=2", "'replica'"),
        ("image.tag=1", "/image/tag"),
        ("image.registry=\"https://registry.example\"", "/image/registry"),
        ("image.digest=\"sha256:12\"", "/image/digest"),
        ("resources.limits.memory=\"lots\"", "/resources/limits/memory"),
        ("certificate.issuerRef.name=\"\"", "/certificate/issuerRef/name"),
        ("hostAliases=[{\"ip\":\"10.0.0.1\"}]", "/hostAliases/0"),
        (
            "networkPolicy.metricsFrom=[{\"pods\":{}}]",
            "/networkPolicy/metricsFrom/0",
        ),
        // Set by the chart: a second one would make the controller exit at its start.
        ("extraArgs=[\"--tls-dir=/tmp\"]", "/extraArgs/0"),
    ];
    for name in CHARTS {
        for (value, path) in cases {
            let refused = Chart::of(name).with(value).text().await;
            let error = refused.expect_err(value).to_string();
            assert!(error.contains(path), "{name}, {value}: {error}");
        }
    }
}
