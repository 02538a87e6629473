//! The sample with every feature on the real node: it runs, responds, and its migrations run before its pods.

use std::{collections::BTreeSet, time::Duration};

use idp_api::{
    WebApplication,
    web_application::{EnvVar, Placement},
};
use idp_cluster::Image;
use idp_core::Kind;
use idp_testkit::{SAMPLE_IMAGE, eventually, fixtures, load_sample_image, stays};
use idp_webapp::kinds::{CHILDREN, DEPLOYMENT, JOB};
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::Job};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, ValidationDirective},
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::lab::{Lab, contents};

const NAME: &str = "sample-web-app";
/// The same program with another tag.
const NEXT_IMAGE: &str = "sample-web-app:0.2.0";

/// Loads both images, once for all tests.
async fn images(lab: &Lab) {
    static LOADED: OnceCell<()> = OnceCell::const_new();
    let load = || async {
        load_sample_image(&lab.test.cluster).await.unwrap();
        let mut next = Image::of_program(
            NEXT_IMAGE,
            "/sample-web-app",
            idp_testkit::build_sample().unwrap(),
        );
        next.exposed_ports = vec![8080, 9090];
        idp_cluster::load_image(&lab.test.cluster, &next).await.unwrap();
    };
    LOADED.get_or_init(load).await;
}

async fn sample(lab: &Lab) -> WebApplication {
    images(lab).await;
    fixtures::sample(&lab.ns)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_responds_and_equals_the_rendering() {
    let lab = Lab::new("sample").await;
    let app = sample(&lab).await;
    lab.create(&app).await;
    let ready = lab.ready(NAME).await;
    let live = lab.as_rendered(NAME, &app.spec).await;
    for kind in CHILDREN {
        assert!(
            live.keys().any(|(name, _)| *name == kind.kind),
            "the sample has no {kind}"
        );
    }
    let status = ready.status.unwrap();
    assert_eq!(status.children.len(), live.len());
    for child in &status.children {
        let object = live
            .iter()
            .find(|((kind, name), _)| *kind == child.kind && *name == child.name);
        assert_eq!(
            object.and_then(|(_, object)| object.uid()).as_ref(),
            Some(&child.uid)
        );
    }
    // Warnings are for the platform team: the cluster issues no certificates.
    let errors: Vec<_> = status
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(status.ready_replicas >= Some(1));
    assert_eq!(
        status.url.as_deref(),
        Some(format!("https://sample-{}.idp.localhost", lab.ns).as_str())
    );

    let info = eventually("the sample answers through its Service", || info(&lab)).await;
    assert_eq!(info["application"], NAME);
    assert_eq!(info["namespace"], lab.ns.as_str());
    assert_eq!(info["environment"], "local");
    assert_eq!(info["title"], "Hello from the platform");

    render_equals_reconcile(&lab, &app).await;
    lab.end().await;
}

async fn info(lab: &Lab) -> Result<Value, String> {
    let path = format!(
        "/api/v1/namespaces/{}/services/http:{NAME}:http/proxy/api/info",
        lab.ns
    );
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    let answer = lab
        .client
        .request_text(request)
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))
}

/// Applying the result of `render` as the controller's field manager would change nothing.
async fn render_equals_reconcile(lab: &Lab, app: &WebApplication) {
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("render").force()
    };
    let live = lab.children(NAME).await.unwrap();
    for ((kind, name), rendered) in lab.rendered(NAME, &app.spec) {
        let kind: Kind = CHILDREN.into_iter().find(|known| known.kind == kind).unwrap();
        if kind == JOB {
            continue;
        }
        let objects = lab.objects(kind);
        let applied = objects.patch(&name, &params, &Patch::Apply(&rendered)).await;
        let applied = applied.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        let key = (kind.kind, name);
        let mut before = live.clone();
        before.retain(|other, _| *other == key);
        let after = [(key, applied)].into();
        assert_eq!(contents(&after), contents(&before));
    }
}

/// Jobs by UID. At every moment, a Deployment may have an image only after its migration succeeded.
async fn watch_migrations(lab: &Lab, jobs: &mut BTreeSet<String>) -> Result<(), String> {
    let client = lab.client.clone();
    let deployment: Api<Deployment> = Api::namespaced(client.clone(), &lab.ns);
    // Read first, so that the state of the Jobs can only be newer.
    let deployed = deployment
        .get_opt(NAME)
        .await
        .map_err(|error| error.to_string())?;
    let found = Api::<Job>::namespaced(client, &lab.ns);
    let found = found
        .list(&ListParams::default())
        .await
        .map_err(|error| error.to_string())?;
    // Without those of its CronJobs.
    let of_the_application = |job: &&Job| {
        let mut owners = job.owner_references().iter();
        owners.any(|owner| owner.kind == "WebApplication")
    };
    jobs.extend(
        found
            .iter()
            .filter(of_the_application)
            .filter_map(ResourceExt::uid),
    );
    let image = deployed.as_ref().and_then(image);
    let succeeded = found.iter().any(|job| {
        let of = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let same = of.is_some_and(|pod| pod.containers[0].image == image);
        same && job
            .status
            .as_ref()
            .is_some_and(|status| status.succeeded == Some(1))
    });
    assert!(
        image.is_none() || image.as_deref() == Some(SAMPLE_IMAGE) || succeeded,
        "{image:?} was deployed first"
    );
    Ok(())
}

fn image(deployment: &Deployment) -> Option<String> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers[0].image.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_image_is_migrated_once_before_its_pods() {
    let lab = Lab::new("migrated").await;
    let mut app = on_the_real_node(sample(&lab).await);
    lab.create(&app).await;
    lab.ready(NAME).await;
    let mut jobs = BTreeSet::new();
    watch_migrations(&lab, &mut jobs).await.unwrap();
    assert_eq!(jobs.len(), 1, "one migration for the first image");

    // Without a new image there is no new migration.
    app.spec.env.push(variable("EXTRA", "1"));
    lab.write(NAME, &app.spec).await;
    lab.as_rendered(NAME, &app.spec).await;
    watch_migrations(&lab, &mut jobs).await.unwrap();
    assert_eq!(jobs.len(), 1, "a change of a variable is no new image");

    app.spec.image = NEXT_IMAGE.to_owned();
    lab.write(NAME, &app.spec).await;
    let deployments: Api<Deployment> = Api::namespaced(lab.client.clone(), &lab.ns);
    let mut deployed = None;
    for _ in 0..1200 {
        watch_migrations(&lab, &mut jobs).await.unwrap();
        deployed = image(&deployments.get(NAME).await.unwrap());
        if deployed.as_deref() == Some(NEXT_IMAGE) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(deployed.as_deref(), Some(NEXT_IMAGE));
    lab.ready(NAME).await;
    lab.as_rendered(NAME, &app.spec).await;
    watch_migrations(&lab, &mut jobs).await.unwrap();
    assert_eq!(jobs.len(), 2, "exactly one further migration");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_leaves_the_old_pods() {
    let lab = Lab::new("failed").await;
    let mut app = on_the_real_node(sample(&lab).await);
    app.spec.migration.as_mut().unwrap().retries = Some(0);
    lab.create(&app).await;
    lab.ready(NAME).await;
    let before = lab.objects(DEPLOYMENT).get(NAME).await.unwrap();

    let good = app.spec.clone();
    app.spec.image = NEXT_IMAGE.to_owned();
    app.spec.env.push(variable("FAIL_MIGRATION", "1"));
    lab.write(NAME, &app.spec).await;
    let problem = lab.problem(NAME, "MigrationFailed").await;
    for part in [
        "spec.migration",
        NEXT_IMAGE,
        "kubectl logs job/",
        "kubectl delete job",
    ] {
        assert!(problem.contains(part), "{part} is not in: {problem}");
    }
    stays(Duration::from_secs(3), "the old version runs", || async {
        let now = lab
            .objects(DEPLOYMENT)
            .get(NAME)
            .await
            .map_err(|error| error.to_string())?;
        if now.metadata.generation != before.metadata.generation {
            return Err("the Deployment was changed".to_owned());
        }
        if now.data["status"]["readyReplicas"].as_i64() < Some(1) {
            return Err("the old pods are not ready".to_owned());
        }
        Ok(())
    })
    .await;
    assert_eq!(info(&lab).await.unwrap()["application"], NAME);
    let status = lab.get(NAME).await.status.unwrap();
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")
        .unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "MigrationFailed")
    );

    // Once the cause is fixed and the failed Job deleted, as the hint says, the new version is rolled out.
    app.spec = good;
    app.spec.image = NEXT_IMAGE.to_owned();
    lab.write(NAME, &app.spec).await;
    for job in lab.objects(JOB).list(&ListParams::default()).await.unwrap() {
        let deleted = lab
            .objects(JOB)
            .delete(&job.name_any(), &DeleteParams::background())
            .await;
        deleted.unwrap();
    }
    lab.ready(NAME).await;
    let now = lab.objects(DEPLOYMENT).get(NAME).await.unwrap();
    assert_eq!(
        now.data["spec"]["template"]["spec"]["containers"][0]["image"],
        NEXT_IMAGE
    );
    lab.end().await;
}

/// Small limits, so that three samples fit on two cores.
fn on_the_real_node(mut app: WebApplication) -> WebApplication {
    app.spec.autoscaling = None;
    app.spec.replicas = Some(1);
    app.spec.patches.clear();
    app.spec.placement = Some(Placement::default());
    app
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        from_field: None,
    }
}
