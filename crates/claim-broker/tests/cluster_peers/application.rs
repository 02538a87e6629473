//! End to end: an application has a database in its spec, and its pods get it.

use anyhow::{Result, anyhow, ensure};
use idp_api::{Environment, WebApplication, WebApplicationStatus};
use idp_claim_broker::reasons;
use idp_core::capability::SectionRequest;
use idp_rpc::capability as rpc;
use idp_runtime::{Peer, grpc::Credentials};
use idp_testkit::{
    Controller,
    cli::idp_cli,
    eventually, eventually_within,
    fixtures::{AppFixture, app},
    program,
};
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::Job, networking::v1::NetworkPolicy};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{Broker, Lab, SHORT, both_ways, shown};

both_ways! {
    a_database_reaches_the_pods_and_its_errors_the_application,
    the_capability_plans_and_reports_what_became_stale,
}

/// Starts the webapp controller, with the broker as its capability.
pub(crate) async fn webapp(lab: &Lab, broker: &Broker, log: &str) -> Controller {
    let kubeconfig = lab.test.controller_kubeconfig("idp-webapp").await.unwrap();
    let capability = format!("--capability=claims=idp-claim-broker@127.0.0.1:{}", broker.grpc);
    let tls = format!("--tls-dir={}", broker.certificates.join("idp-webapp").display());
    let log = broker.certificates.with_file_name(format!("{log}.log"));
    let controller = Controller::start(
        &program("idp-webapp"),
        &kubeconfig,
        &log,
        &["--leader-elect=false", &capability, &tls],
    )
    .unwrap();
    eventually_within(SHORT, "the webapp controller leads", || async {
        ensure!(controller.leads().await, "log: {}", controller.log());
        Ok(())
    })
    .await;
    controller
}

/// Sets this class for `engine` in the cluster's Environment.
pub(crate) async fn serve(lab: &Lab, engine: &str, class: &str) {
    let environments = Api::<Environment>::all(lab.client());
    let all = environments.list(&ListParams::default()).await.unwrap();
    let name = all.items[0].metadata.name.clone().unwrap();
    let patch = json!({ "spec": { "classes": { engine: class } } });
    environments
        .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

pub(crate) async fn until(
    lab: &Lab,
    namespace: &str,
    what: &str,
    wanted: impl Fn(&WebApplicationStatus) -> bool,
) -> WebApplicationStatus {
    eventually_within(SHORT, what, || async {
        let app = Api::<WebApplication>::namespaced(lab.client(), namespace)
            .get("shop")
            .await?;
        let status = app.status.ok_or_else(|| anyhow!("no status"))?;
        ensure!(
            status.observed_generation == app.metadata.generation && wanted(&status),
            "{}",
            shown(&status)
        );
        Ok::<_, anyhow::Error>(status)
    })
    .await
}

async fn env(lab: &Lab, namespace: &str) -> Result<Vec<Value>> {
    let deployment = Api::<Deployment>::namespaced(lab.client(), namespace)
        .get("shop")
        .await?;
    let deployment = serde_json::to_value(deployment)?;
    Ok(deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .cloned()
        .unwrap_or_default())
}

async fn a_database_reaches_the_pods_and_its_errors_the_application(lab: Lab) {
    let namespace = lab.test.namespace("app").await.unwrap();
    let class = lab
        .class(&namespace, json!({ "quota": { "perNamespace": 1 } }))
        .await;
    serve(&lab, "postgres", &class).await;
    let broker = lab.broker("app").await;
    let webapp = webapp(&lab, &broker, "webapp").await;
    let apps = Api::<WebApplication>::namespaced(lab.client(), &namespace);
    let mut shop = app(&namespace, "shop").on_fake_nodes();
    shop.spec.databases =
        serde_json::from_value(json!([{ "name": "orders", "engine": "postgres", "version": "99" }])).unwrap();
    shop.spec.migration = serde_json::from_value(json!({ "command": ["migrate"] })).unwrap();
    apps.create(&PostParams::default(), &shop).await.unwrap();

    // The cloud rejects the database: the application shows why, and has neither pods nor a migration yet.
    let status = until(&lab, &namespace, "the cloud's error is shown", |status| {
        status
            .problems
            .iter()
            .any(|problem| problem.reason == reasons::RESOURCE_FAILED)
    })
    .await;
    let said = status
        .problems
        .iter()
        .find(|problem| problem.reason == reasons::RESOURCE_FAILED)
        .unwrap();
    assert_eq!(said.path.as_deref(), Some("spec.databases[0]"));
    assert!(
        said.message.ends_with("Cannot find version 99 for postgres"),
        "{said:?}"
    );
    let jobs = Api::<Job>::namespaced(lab.client(), &namespace);
    assert!(
        jobs.list(&ListParams::default()).await.unwrap().items.is_empty(),
        "the migration waits for the database"
    );
    assert!(env(&lab, &namespace).await.is_err(), "pods wait for the database");

    let patch = |patch: Value| {
        let apps = apps.clone();
        async move {
            apps.patch(
                "shop",
                &PatchParams::default(),
                &Patch::Merge(&json!({ "spec": patch })),
            )
            .await
            .unwrap()
        }
    };
    patch(json!({ "databases": [{ "name": "orders", "engine": "postgres", "version": "16" }] })).await;
    eventually("the migration runs", || async {
        let jobs = jobs.list(&ListParams::default()).await?;
        let job = serde_json::to_value(jobs.items.first())?;
        let env = job["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
        ensure!(env.contains("ORDERS_HOST"), "{env}");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    patch(json!({ "migration": null })).await;
    let variables = eventually("the pods get the database", || env(&lab, &namespace)).await;
    let of = |name: &str| {
        variables
            .iter()
            .find(|variable| variable["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(
        of("ORDERS_HOST")["valueFrom"]["secretKeyRef"],
        json!({ "name": "shop-orders-connection", "key": "host" })
    );
    assert_eq!(
        of("ORDERS_URL")["value"],
        "postgres://$(ORDERS_HOST):$(ORDERS_PORT)/orders"
    );

    let policies = Api::<NetworkPolicy>::namespaced(lab.client(), &namespace);
    let policy = serde_json::to_value(policies.get("shop").await.unwrap()).unwrap();
    let reach = json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            "podSelector": { "matchLabels": { "database": "shop-orders" } },
        }],
        "ports": [{ "protocol": "TCP", "port": 5432 }],
    });
    let egress = policy["spec"]["egress"].as_array().unwrap();
    assert!(
        egress.contains(&reach),
        "pods may connect to the database: {egress:#?}"
    );

    // A second database exceeds the quota. `idp-cli plan` reports it before anything is applied. If it is applied, no
    // objects change, and the application has the problem.
    let mut more = shop.clone();
    more.spec.migration = None;
    more.spec.databases = serde_json::from_value(json!([
        { "name": "orders", "engine": "postgres", "version": "16" },
        { "name": "users", "engine": "postgres" },
    ]))
    .unwrap();
    let input = serde_json::to_string(&more).unwrap();
    let planned = idp_cli(&lab.test.cluster, &["plan", "-"], &input).await.unwrap();
    assert!(
        !planned.well && planned.errors.contains("spec.databases[1]"),
        "{planned:?}"
    );
    assert!(
        planned.errors.contains(reasons::QUOTA_EXCEEDED.name),
        "{planned:?}"
    );
    patch(json!({ "databases": [{ "name": "orders", "engine": "postgres", "version": "16" }, { "name": "users", "engine": "postgres" }] })).await;
    let status = until(&lab, &namespace, "the application reports the quota", |status| {
        status
            .problems
            .iter()
            .any(|problem| problem.reason == reasons::QUOTA_EXCEEDED)
    })
    .await;
    assert!(
        status
            .problems
            .iter()
            .any(|problem| problem.path.as_deref() == Some("spec.databases[1]")),
        "{status:#?}"
    );
    assert_eq!(lab.claim_names(&namespace).await, ["shop-orders"]);

    // Removed: the data is kept, and the application reports it. Then the application is deleted.
    patch(json!({ "databases": null })).await;
    let what = "the application reports the kept data, and does not wait for it";
    until(&lab, &namespace, what, |status| {
        status
            .problems
            .iter()
            .any(|problem| problem.reason == reasons::DATA_KEPT)
            && status
                .conditions
                .iter()
                .any(|condition| condition.type_ == "ClaimsReady" && condition.is_true())
    })
    .await;
    eventually("the pods do not get the database any more", || async {
        let variables = env(&lab, &namespace).await?;
        ensure!(
            !variables.iter().any(|variable| variable["name"] == "ORDERS_HOST"),
            "{variables:?}"
        );
        Ok::<_, anyhow::Error>(())
    })
    .await;
    apps.delete("shop", &Default::default()).await.unwrap();
    eventually("the binding is deleted with the application", || async {
        ensure!(
            lab.bindings(&namespace).get_opt("shop-orders").await?.is_none(),
            "the binding still exists"
        );
        Ok::<_, anyhow::Error>(())
    })
    .await;
    assert_eq!(lab.claim_names(&namespace).await, ["shop-orders"]);
    drop((webapp, broker));
    lab.clean(&namespace).await;
}

async fn the_capability_plans_and_reports_what_became_stale(lab: Lab) {
    let namespace = lab.test.namespace("grpc").await.unwrap();
    let class = lab.class(&namespace, json!({})).await;
    let broker = lab.broker("grpc").await;
    let credentials = Credentials::load(&broker.certificates.join("idp-webapp")).unwrap();
    let peer = Peer::new(
        "claims",
        &format!("127.0.0.1:{}", broker.grpc),
        "idp-claim-broker",
        &credentials,
    )
    .unwrap();
    let described = peer.call(rpc::describe).await.unwrap();
    assert_eq!(described.name, "claims");
    let request = SectionRequest {
        namespace: namespace.clone(),
        application: "shop".into(),
        environment: "local".into(),
        environment_spec: json!({ "classes": { "postgres": class } }),
        section: json!({ "databases": [{ "name": "orders", "engine": "postgres" }] }),
        path: "spec".into(),
    };
    let plan = async || {
        peer.call(|channel| {
            let request = request.clone();
            async move { rpc::plan(channel, &request).await }
        })
        .await
        .unwrap()
    };
    let first = plan().await;
    assert!(first.is_possible() && first.bindings.len() == 1, "{first:?}");

    let mut stale = Box::pin(peer.open(rpc::watch).await.unwrap());
    // The stream also reports namespaces of other tests.
    let told = async |stale: &mut std::pin::Pin<Box<_>>, wanted: &dyn Fn(&[String]) -> bool, what: &str| {
        let wanted = async {
            loop {
                let next: Option<Result<Vec<String>, _>> = futures::StreamExt::next(stale).await;
                if wanted(&next.expect("the stream stays open").unwrap()) {
                    return;
                }
            }
        };
        tokio::time::timeout(SHORT, wanted).await.expect(what);
    };
    lab.class(&namespace, json!({ "quota": { "perNamespace": 0 } }))
        .await;
    told(
        &mut stale,
        &<[String]>::is_empty,
        "a change of a class concerns all applications",
    )
    .await;
    let refused = plan().await;
    assert_eq!(refused.problems[0].reason, reasons::QUOTA_EXCEEDED);
    lab.class(&namespace, json!({ "quota": { "perNamespace": 1 } }))
        .await;
    told(
        &mut stale,
        &<[String]>::is_empty,
        "a change of a class concerns all applications",
    )
    .await;
    let mut other = crate::support::binding(&namespace, &class, "other", "db");
    other.spec.version = Some("16".into());
    lab.bind(&other).await;
    told(
        &mut stale,
        &|namespaces| namespaces.contains(&namespace),
        "a change of the quota's use concerns its namespace",
    )
    .await;
    assert_eq!(plan().await.problems[0].reason, reasons::QUOTA_EXCEEDED);
    drop(broker);
    lab.clean(&namespace).await;
}
