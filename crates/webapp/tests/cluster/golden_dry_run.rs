//! Every golden case passes the API server's checks: the WebApplication its schema, the children those of their
//! kinds.

use futures::{StreamExt, stream};
use idp_api::manifests;
use idp_testkit::golden::{cases, folder};
use idp_webapp::{kinds, render::render};
use kube::{
    ResourceExt,
    api::{Patch, PostParams},
};
use serde_json::Value;

use crate::lab::{Lab, dry_run};

/// The cases that the schema itself rejects.
const REFUSED_BY_THE_SCHEMA: [&str; 2] = ["refused-built-in", "refused-canary"];

/// The API server's errors for these children, each with the name of its case.
async fn refused(lab: &Lab, children: &[(String, Value)]) -> Vec<String> {
    let params = dry_run();
    stream::iter(children)
        .map(|(case, child)| {
            let params = &params;
            async move {
                let name = child["metadata"]["name"].as_str().unwrap_or_default();
                let text = |field: &str| child[field].as_str().unwrap_or_default();
                let (api, kind) = (text("apiVersion"), text("kind"));
                let Some(known) = kinds::of_child(api, kind) else {
                    return Some(format!("{case}: {api} {kind} is no kind of a child"));
                };
                let answer = lab.objects(known).patch(name, params, &Patch::Apply(child)).await;
                Some(format!("{case}: {known} {name}: {}", answer.err()?))
            }
        })
        .buffered(8)
        .filter_map(|refused| async { refused })
        .collect()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_every_case_pass_a_dry_run() {
    let lab = Lab::new("golden").await;
    let mut children = Vec::new();
    for (case, mut app, environment) in cases() {
        app.metadata.namespace = Some(lab.ns.clone());
        if let Ok(plan) = render(&app, &environment) {
            children.extend(
                plan.children
                    .into_iter()
                    .map(|child| (case.clone(), child.object)),
            );
        }
    }
    assert!(children.len() > 300, "only {} children", children.len());
    let refused = refused(&lab, &children).await;
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    lab.end().await;
}

/// Rendered by the command line, because it plans with the capabilities too.
#[tokio::test(flavor = "multi_thread")]
async fn children_with_capabilities_pass_a_dry_run() {
    let lab = Lab::new("golden").await;
    let mut children = Vec::new();
    for entry in std::fs::read_dir(folder().join("supplied/expected")).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        for mut child in manifests::parse(&text).unwrap() {
            child["metadata"]["namespace"] = lab.ns.clone().into();
            children.push((file.display().to_string(), child));
        }
    }
    assert!(children.len() > 150, "only {} children", children.len());
    let refused = refused(&lab, &children).await;
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_rejects_only_the_expected_cases() {
    let lab = Lab::new("golden").await;
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut wrong = Vec::new();
    for (case, mut app, _) in cases() {
        app.metadata.namespace = Some(lab.ns.clone());
        let answer = lab.apps().create(&params, &app).await;
        let refused = REFUSED_BY_THE_SCHEMA.contains(&case.as_str());
        if answer.is_err() != refused {
            wrong.push(format!("{case} ({}): {:?}", app.name_any(), answer.err()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    lab.end().await;
}
