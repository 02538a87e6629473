//! A cluster of its own is started, stopped, started again and purged: its data outlives the first stop, and nothing
//! outlives the second.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use std::{collections::BTreeSet, path::Path, process::Command};

use idp_cluster::{
    Addon, Cluster, Nodes, Purge, UpOptions, can_run_real_node, down, install_packages, status, up,
};
use idp_testkit::{SAMPLE_IMAGE, cli::idp_cli, eventually, load_sample_image};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

const NAME: &str = "lifecycle";

#[tokio::test(flavor = "multi_thread")]
async fn data_outlives_a_stop_and_nothing_outlives_a_purge() {
    assert!(
        can_run_real_node(),
        "the tests need Linux and root: they run real pods"
    );
    install_packages(&()).await.unwrap();
    down(NAME, Purge::Everything).await.unwrap();
    let before = traces();

    let cluster = start().await;
    load_sample_image(&cluster).await.unwrap();
    run_pod(&cluster).await;
    let pids: Vec<i32> = status(NAME)
        .unwrap()
        .iter()
        .map(|component| component.pid)
        .collect();
    assert!(pids.len() >= 8, "{pids:?}");

    down(NAME, Purge::KeepData).await.unwrap();
    pids.iter().for_each(|pid| assert_ended(*pid));
    let began = std::time::Instant::now();
    let cluster = start().await;
    eprintln!("the second start took {:.1?}", began.elapsed());
    wait_running(&cluster).await;
    let again = up(&options(), &()).await.unwrap();
    assert_eq!(
        again.kubeconfig_file(),
        cluster.kubeconfig_file(),
        "a second `up` finds what runs"
    );

    what_it_was_given_it_keeps(&cluster).await;

    let folder = cluster.dir().to_owned();
    let pids: Vec<i32> = status(NAME)
        .unwrap()
        .iter()
        .map(|component| component.pid)
        .collect();
    down(NAME, Purge::Everything).await.unwrap();
    pids.iter().for_each(|pid| assert_ended(*pid));
    assert!(!folder.exists());
    let left: Vec<String> = traces().difference(&before).cloned().collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
}

fn options() -> UpOptions {
    // The definitions of peers are another test's matter.
    UpOptions {
        name: NAME.to_owned(),
        nodes: Nodes::Real,
        peers: Vec::new(),
        addons: vec![Addon::LocalStack],
        ..UpOptions::default()
    }
}

async fn start() -> Cluster {
    up(&options(), &()).await.unwrap()
}

/// The command line, with an add-on more and then without any: the controller of what is there runs, and is known.
async fn what_it_was_given_it_keeps(cluster: &Cluster) {
    for more in [&["--with", "external-secrets"][..], &[]] {
        let up = ["--cluster", NAME, "up", "--nodes", "real"];
        let said = idp_cli(cluster, &[&up, more].concat(), "").await.unwrap();
        assert!(said.well, "{said:?}");
        let arguments = |name: &str| {
            let components = status(NAME).unwrap();
            let found = components
                .iter()
                .find(|found| found.name == name && found.running);
            let pid = found
                .unwrap_or_else(|| panic!("no {name} runs: {components:?}"))
                .pid;
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap()
        };
        assert!(arguments("idp-webapp").contains("--capability=secrets=idp-secrets-bridge@"));
        arguments("idp-secrets-bridge");
        arguments("external-secrets");
        let store = [
            "--cluster",
            NAME,
            "kubectl",
            "get",
            "clustersecretstore",
            "-o",
            "name",
        ];
        let said = idp_cli(cluster, &store, "").await.unwrap();
        assert!(said.output.contains("localstack"), "{said:?}");
    }
}

async fn run_pod(cluster: &Cluster) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "one" },
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{ "name": "app", "image": SAMPLE_IMAGE, "imagePullPolicy": "Never" }],
        },
    });
    let pods = Api::<Pod>::namespaced(cluster.client().await.unwrap(), "default");
    eventually("the namespace has its service account", || async {
        pods.patch("one", &PatchParams::apply("test"), &Patch::Apply(&pod))
            .await
    })
    .await;
    wait_running(cluster).await;
}

async fn wait_running(cluster: &Cluster) {
    let pods = Api::<Pod>::namespaced(cluster.client().await.unwrap(), "default");
    eventually("the pod runs", || async {
        let pod = pods.get("one").await.map_err(|error| error.to_string())?;
        let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
        if phase == "Running" { Ok(()) } else { Err(phase) }
    })
    .await;
}

fn assert_ended(pid: i32) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ended = stat.is_empty() || stat.rsplit(')').next().unwrap().trim_start().starts_with('Z');
    assert!(ended, "process {pid} still runs: {stat}");
}

/// What a cluster could leave on the machine: mounts, interfaces, network namespaces, tables, control groups, and
/// processes that work in its folder. What belongs to the cluster that all tests share comes and goes meanwhile.
fn traces() -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    let mut add =
        |what: &str, lines: String| traces.extend(lines.lines().map(|line| format!("{what}: {line}")));
    add("mount", std::fs::read_to_string("/proc/mounts").unwrap());
    add("interface", names(Path::new("/sys/class/net")));
    add("namespace", names(Path::new("/run/netns")));
    add("run", names(Path::new("/run/idp")));
    add(
        "table",
        String::from_utf8(
            Command::new("nft")
                .args(["list", "tables"])
                .output()
                .unwrap()
                .stdout,
        )
        .unwrap(),
    );
    for controller in names(Path::new("/sys/fs/cgroup")).lines() {
        add("group", names(&Path::new("/sys/fs/cgroup").join(controller)));
    }
    for process in names(Path::new("/proc"))
        .lines()
        .filter(|name| name.parse::<u32>().is_ok())
    {
        let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains(&format!("clusters/{NAME}/")) {
            add("process", arguments);
        }
    }
    traces.retain(|trace| !trace.contains("/clusters/test/"));
    traces
}

fn names(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return String::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned() + "\n")
        .collect()
}
