//! Everything that the API server accepts can be parsed, and output cannot control a terminal.

use idp_testkit::cli::idp_cli;
use serde_json::json;

use crate::Tenant;

/// Each was once accepted, but could not be parsed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_do_not_fit_their_type_are_rejected() {
    let tenant = Tenant::new("numbers").await;
    let huge = 9_999_999_999_i64;
    let attempts = [
        ("rollout.maxSurge", json!({ "rollout": { "maxSurge": huge } })),
        ("rollout.maxSurge", json!({ "rollout": { "maxSurge": -1 } })),
        (
            "rollout.maxUnavailable",
            json!({ "rollout": { "maxUnavailable": huge } }),
        ),
        (
            "rollout.progressDeadlineSeconds",
            json!({ "rollout": { "progressDeadlineSeconds": huge } }),
        ),
        (
            "ports[0].port",
            json!({ "ports": [{ "name": "web", "port": huge }] }),
        ),
        ("replicas", json!({ "replicas": huge })),
    ];
    for (path, spec) in attempts {
        let refused = tenant.create("huge", spec).await.unwrap_err();
        let kube::Error::Api(status) = &refused else {
            panic!("{path}: {refused}")
        };
        assert_eq!(status.code, 422, "{path}: {refused}");
    }
    // Extreme values that the API server accepts are parsed: the controller writes a status.
    let most = json!({ "rollout": { "maxSurge": i32::MAX, "maxUnavailable": 0 } });
    tenant.create("most", most).await.unwrap();
    let problem = tenant.lab.problem("most", "InvalidRollout").await;
    assert_eq!(problem.path.as_deref(), Some("spec.rollout.maxSurge"));
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_a_tenant_does_not_control_the_terminal_of_others() {
    let tenant = Tenant::new("terminal").await;
    let evil = "x\u{1b}[31mRED\u{9b}2J\u{202e}\nWebApplication a/b   Ready";
    tenant
        .create("evil", json!({ "resources": { "size": evil } }))
        .await
        .unwrap();
    tenant.lab.problem("evil", "UnknownSize").await;
    for command in ["status", "tree"] {
        let args = [command, "evil", "-n", tenant.namespace()];
        let said = idp_cli(&tenant.lab.test.cluster, &args, "").await.unwrap();
        let shown = format!("{}{}", said.output, said.errors);
        let hidden = |c: char| c != '\n' && idp_core::visible::is_hidden(c);
        assert!(!shown.chars().any(hidden), "{command}: {shown:?}");
        assert!(
            !shown.lines().any(|line| line.starts_with("WebApplication a/b")),
            "{shown}"
        );
        if command == "status" {
            assert!(shown.contains("x\\u001b[31mRED\\u009b2J\\u202e\\n"), "{shown}");
        }
    }
    let plan = json!({
        "apiVersion": "idp.dev/v1alpha1", "kind": "WebApplication", "metadata": { "name": "planned" },
        "spec": { "image": "a:1", "resources": { "size": evil } },
    });
    let args = ["plan", "-", "-n", tenant.namespace()];
    let said = idp_cli(&tenant.lab.test.cluster, &args, &plan.to_string())
        .await
        .unwrap();
    assert!(
        !said
            .errors
            .chars()
            .any(|c| c != '\n' && idp_core::visible::is_hidden(c)),
        "{said:?}"
    );
    tenant.end().await;
}
