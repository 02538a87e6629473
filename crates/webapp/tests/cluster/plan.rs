//! `idp-cli plan` predicts what the controller does.

use idp_api::WebApplication;
use idp_testkit::{
    cli::{Said, idp_cli},
    fixtures::{AppFixture, typical},
};
use serde_json::json;

use crate::lab::Lab;

async fn planned(lab: &Lab, app: &WebApplication) -> Said {
    let input = serde_json::to_string(app).unwrap();
    idp_cli(&lab.test.cluster, &["plan", "-"], &input).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_predicts_the_changes() {
    let lab = Lab::new("plan").await;
    let mut app = typical(&lab.ns, "shop").on_fake_nodes();
    let new = planned(&lab, &app).await;
    assert!(new.well, "{new:?}");
    assert!(new.output.contains("+ Deployment/shop"), "{new:?}");
    assert!(
        new.output.contains(" 0 to change, 0 to delete, 0 unchanged"),
        "{new:?}"
    );
    assert!(
        lab.apps().get_opt("shop").await.unwrap().is_none(),
        "nothing is made"
    );

    lab.create(&app).await;
    let children = lab.ready("shop").await.status.unwrap().children.len();
    assert!(
        new.output.contains(&format!("{children} to create")),
        "{children}: {new:?}"
    );
    let same = planned(&lab, &app).await;
    let nothing = format!("0 to create, 0 to change, 0 to delete, {children} unchanged");
    assert!(same.output.contains(&nothing), "{same:?}");

    app.spec.image = "shop:2.0".into();
    app.spec.routes = serde_json::from_value(json!([])).unwrap();
    let other = planned(&lab, &app).await;
    let image = "~ Deployment/shop  spec.template.spec.containers[0].image";
    let lines: Vec<String> = other.output.lines().map(shrunk).collect();
    assert!(lines.iter().any(|line| line.starts_with(image)), "{other:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("- VirtualService/")),
        "{other:?}"
    );
    lab.end().await;
}

/// A line without its column alignment.
fn shrunk(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").replacen("shop spec", "shop  spec", 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_are_shown_before_apply() {
    let lab = Lab::new("plan").await;
    let host = format!("{}.idp.localhost", lab.ns);
    let mut first = typical(&lab.ns, "first").on_fake_nodes();
    first.spec.routes = serde_json::from_value(json!([{ "host": host }])).unwrap();
    lab.create(&first).await;
    lab.ready("first").await;

    let mut second = typical(&lab.ns, "second").on_fake_nodes();
    second.spec.routes = serde_json::from_value(json!([{ "host": host }])).unwrap();
    let taken = planned(&lab, &second).await;
    assert!(!taken.well && taken.output.contains("/second"), "{taken:?}");
    assert!(taken.errors.contains(&format!("{}/first", lab.ns)), "{taken:?}");

    // The schema's own message, as from `kubectl apply`.
    second.spec.routes = Vec::new();
    second.spec.image = String::new();
    let refused = planned(&lab, &second).await;
    assert!(
        !refused.well && refused.errors.contains("spec.image"),
        "{refused:?}"
    );
    lab.end().await;
}
