//! No application can connect to the cloud's metadata service, the nodes or the API server by address.

use idp_webapp::kinds::NETWORK_POLICY;
use serde_json::{Value, json};

use crate::Tenant;

fn outbound(target: Value) -> Value {
    json!({"access": {"outbound": [target]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_that_are_not_allowed_are_rejected() {
    let tenant = Tenant::new("a08").await;
    let ranges = [
        "169.254.169.254/32",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "fe80::/10",
        "64:ff9b::a9fe:a9fe/128",
        "64:ff9b::/96",
        "fd00:ec2::254/128",
        "2002:a9fe:a9fe::/48",
        "10.0.0.0/8",
        "224.0.0.0/4",
        // Ranges around the one that the Environment allows.
        "192.0.2.0/23",
    ];
    for (index, range) in ranges.into_iter().enumerate() {
        let name = format!("range-{index}");
        tenant
            .create(&name, outbound(json!({"cidr": {"range": range, "ports": [80]}})))
            .await
            .unwrap();
        let problem = tenant.lab.problem(&name, "CidrNotAllowed").await;
        assert_eq!(
            problem.path.as_deref(),
            Some("spec.access.outbound[0].cidr.range"),
            "{problem}"
        );
    }
    // The API server's CEL does not accept a mapped address as a range.
    let mapped = outbound(json!({"cidr": {"range": "::ffff:169.254.169.254/128", "ports": [80]}}));
    match tenant.create("mapped", mapped).await {
        Err(_) => {}
        Ok(()) => drop(tenant.lab.problem("mapped", "CidrNotAllowed").await),
    }
    let all_ports = outbound(json!({"cidr": {"range": "192.0.2.0/24"}}));
    tenant.create("all-ports", all_ports).await.unwrap();
    let problem = tenant.lab.problem("all-ports", "InvalidSpec").await;
    assert_eq!(
        problem.path.as_deref(),
        Some("spec.access.outbound[0].cidr.ports")
    );
    let policies = tenant
        .lab
        .objects(NETWORK_POLICY)
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(policies.items.len(), 0);
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_hosts_are_neither_addresses_nor_internal_names() {
    let tenant = Tenant::new("a08-hosts").await;
    let hosts = [
        "169.254.169.254",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.16689662",
        "metadata.google.internal",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "*.cluster.local",
        "*.svc",
    ];
    for (index, host) in hosts.into_iter().enumerate() {
        let name = format!("host-{index}");
        let external = outbound(json!({"external": {"host": host, "port": 80}}));
        if tenant.create(&name, external).await.is_err() {
            // No valid host name.
            continue;
        }
        let problem = tenant.lab.problem(&name, "HostNotOutside").await;
        assert_eq!(
            problem.path.as_deref(),
            Some("spec.access.outbound[0].external.host"),
            "{problem}"
        );
    }
    let policies = tenant
        .lab
        .objects(NETWORK_POLICY)
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(policies.items.len(), 0);

    // The allowed range is open, and the API server accepts the excluded parts.
    let fine = json!({"access": {"outbound": [
        {"external": {"host": "api.example.com"}}, {"cidr": {"range": "192.0.2.0/25", "ports": [5432]}}]}});
    tenant.create("fine", fine).await.unwrap();
    tenant.lab.ready("fine").await;
    let policy = tenant.lab.objects(NETWORK_POLICY).get("fine").await.unwrap();
    let blocks: Vec<&Value> = policy.data["spec"]["egress"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| rule["to"].as_array().unwrap())
        .map(|to| &to["ipBlock"])
        .filter(|block| block.is_object())
        .collect();
    let block = |cidr: &str| blocks.iter().find(|block| block["cidr"] == cidr).unwrap();
    assert!(block("192.0.2.0/25")["except"].is_null());
    for (cidr, range) in [
        ("0.0.0.0/0", "169.254.0.0/16"),
        ("0.0.0.0/0", "127.0.0.0/8"),
        ("::/0", "64:ff9b::/96"),
        ("::/0", "::/80"),
    ] {
        let except = block(cidr)["except"].as_array().unwrap();
        assert!(
            except.iter().any(|part| part == range),
            "{cidr} without {range}: {except:?}"
        );
    }
    tenant.end().await;
}
