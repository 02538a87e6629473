//! Every golden case passes the API server's own checks: its WebApplication the schema, its children their kinds.

use futures::{StreamExt, stream};
use idp_testkit::golden::cases;
use idp_webapp::render::render;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams, PostParams, ValidationDirective},
};

use crate::lab::Lab;

/// The cases that the schema itself refuses.
const REFUSED_BY_THE_SCHEMA: [&str; 1] = ["refused-canary"];

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_every_case_pass_a_dry_run() {
    let lab = Lab::new("golden").await;
    let mut children = Vec::new();
    for (case, mut app, environment) in cases() {
        app.metadata.namespace = Some(lab.ns.clone());
        if let Ok(plan) = render(&app, &environment) {
            children.extend(plan.children.into_iter().map(|child| (case.clone(), child)));
        }
    }
    assert!(children.len() > 300, "only {} children", children.len());
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("golden").force()
    };
    let refused = stream::iter(&children)
        .map(|(case, child)| {
            let (lab, params) = (&lab, &params);
            async move {
                let objects = lab.objects(child.kind);
                let answer = objects
                    .patch(&child.name, params, &Patch::Apply(&child.object))
                    .await;
                let error = answer.err()?;
                Some(format!("{case}: {} {}: {error}", child.kind, child.name))
            }
        })
        .buffered(8)
        .filter_map(|refused| async { refused })
        .collect::<Vec<String>>()
        .await;
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_accepts_every_case_but_those_it_shall_refuse() {
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
