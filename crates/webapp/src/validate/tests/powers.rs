//! What only the Environment gives: places, priority, addresses, rates.

use serde_json::{Value, json};

use super::{app, check_errors, cluster, valid};
use crate::validate::validate;

const PLACE: &str = "PlacementNotAllowed";
const LIMIT: &str = "LimitExceeded";
const CIDR: &str = "CidrNotAllowed";

#[test]
fn the_placement_of_the_environment_is_extended() {
    let app = valid(
        &json!({"placement": {"nodeSelector": {"disk": "ssd", "pool": "apps"}, "tolerations": [{"key": "gpu"}, {"key": "web", "value": "a"}],
            "priorityClass": "important"}}),
        &json!({"placement": {"nodeSelector": {"pool": "apps", "arch": "amd64"}, "tolerations": [{"key": "gpu"}, {"key": "apps"}],
            "allowedTolerations": [{"key": "web"}], "allowedPriorityClasses": [{"name": "important", "namespaces": ["team-a"]}]}}),
    );
    let labels: Vec<_> = app
        .placement
        .node_selector
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(labels, ["arch=amd64", "disk=ssd", "pool=apps"]);
    assert_eq!(app.placement.tolerations.len(), 3);
}

#[test]
fn nodes_and_priorities_need_the_environments_permission() {
    let none = json!({});
    let placement = |own: Value| json!({"placement": own});
    let pool = json!({"placement": {"nodeSelector": {"example.com/pool": "applications"}}});
    let selector = placement(json!({"nodeSelector": {"example.com/pool": "platform"}}));
    let selected = "spec.placement.nodeSelector[example.com/pool]";
    let toleration = |own: Value| placement(json!({"tolerations": [own]}));
    let tolerated = "spec.placement.tolerations[0]";
    let class = |name: &str| placement(json!({"priorityClass": name}));
    let first = "spec.placement.priorityClass";
    let classes = |list: Value| json!({"placement": {"allowedPriorityClasses": list}});
    let web =
        json!({"placement": {"allowedTolerations": [{"key": "web", "value": "a", "effect": "NoSchedule"}]}});
    check_errors(vec![
        (selector, pool, PLACE, selected),
        (
            toleration(json!({"key": "node-role.kubernetes.io/control-plane"})),
            none.clone(),
            PLACE,
            tolerated,
        ),
        (
            toleration(json!({"key": "CriticalAddonsOnly"})),
            none.clone(),
            PLACE,
            tolerated,
        ),
        (
            toleration(json!({"key": ""})),
            json!({"placement": {"allowedTolerations": [{"key": ""}]}}),
            PLACE,
            tolerated,
        ),
        (toleration(json!({"key": "web"})), web.clone(), PLACE, tolerated),
        (
            toleration(json!({"key": "web", "value": "a"})),
            web.clone(),
            PLACE,
            tolerated,
        ),
        (
            toleration(json!({"key": "web", "value": "a", "effect": "NoExecute"})),
            web,
            PLACE,
            tolerated,
        ),
        (class("important"), none, PLACE, first),
        (
            class("important"),
            classes(json!([{"name": "important", "namespaces": ["team-b"]}])),
            PLACE,
            first,
        ),
        // Whoever lists it.
        (
            class("system-node-critical"),
            classes(json!([{"name": "system-node-critical"}])),
            PLACE,
            first,
        ),
        (
            class("system-mine"),
            classes(json!([{"name": "system-mine"}])),
            PLACE,
            first,
        ),
    ]);
    let problem = validate(&app(&class("important")), &cluster(&json!({})))
        .unwrap_err()
        .remove(0);
    assert!(
        problem
            .hint
            .unwrap()
            .contains("allowedPriorityClasses of Environment staging")
    );
}

#[test]
fn ranges_are_the_environments_to_open() {
    let outbound = |range: &str, ports: Value| json!({"access": {"outbound": [{"cidr": {"range": range, "ports": ports}}]}});
    let listed = |range: &str| json!({"network": {"allowedRanges": [{"range": range}], "clusterRanges": ["10.1.0.0/16", "203.0.113.7/32"]}});
    let at = "spec.access.outbound[0].cidr.range";
    let wide = [("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0")];
    for range in [
        "169.254.169.254/32",
        "169.254.0.0/16",
        "127.0.0.1/32",
        "0.0.0.0/8",
        "224.0.0.0/24",
        "255.255.255.255/32",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "10.1.2.0/24",
        "203.0.113.7/32",
    ] {
        check_errors(
            vec![
                (outbound(range, json!([80])), json!({}), CIDR, at),
                (outbound(range, json!([80])), listed("0.0.0.0/0"), CIDR, at),
            ]
            .into_iter()
            .skip(usize::from(range.starts_with("10.1") || range.starts_with("203")))
            .collect(),
        );
    }
    for range in [
        "fe80::/10",
        "::1/128",
        "ff02::/16",
        "64:ff9b::a9fe:a9fe/128",
        "64:ff9b::/96",
        "::ffff:169.254.169.254/128",
        "fd00:ec2::254/128",
        "2002:a9fe:a9fe::/48",
    ] {
        check_errors(vec![(outbound(range, json!([80])), listed("::/0"), CIDR, at)]);
    }
    // None is listed, or one beside it, or of another namespace.
    let elsewhere =
        json!({"network": {"allowedRanges": [{"range": "10.20.0.0/16", "namespaces": ["team-b"]}]}});
    check_errors(vec![
        (outbound("10.20.0.0/16", json!([80])), json!({}), CIDR, at),
        (outbound("192.0.2.0/24", json!([80])), json!({}), CIDR, at),
        (
            outbound("10.20.0.0/15", json!([80])),
            listed("10.20.0.0/16"),
            CIDR,
            at,
        ),
        (outbound("10.20.0.0/16", json!([80])), elsewhere, CIDR, at),
        (outbound(wide[0].0, json!([80])), listed("10.0.0.0/8"), CIDR, at),
        (outbound(wide[1].0, json!([80])), listed("10.0.0.0/8"), CIDR, at),
        (
            outbound("10.20.0.0/16", json!([])),
            listed("10.20.0.0/16"),
            "InvalidSpec",
            "spec.access.outbound[0].cidr.ports",
        ),
    ]);
    valid(&outbound("10.20.3.0/24", json!([5432])), &listed("10.20.0.0/16"));
    // The plan excludes blocked ranges.
    valid(&outbound(wide[0].0, json!([80])), &listed(wide[0].1));
}

#[test]
fn hosts_outside_are_names_of_the_public_dns() {
    let external = |host: &str| json!({"access": {"outbound": [{"external": {"host": host}}]}});
    let at = "spec.access.outbound[0].external.host";
    for host in [
        "169.254.169.254",
        "10.0.0.1",
        "169.16689662",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "2852039166",
        "0xa9fea9fe",
        "::1",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "*.svc.cluster.local",
        "*.local",
        "*.cluster.local",
        "metadata.google.internal",
        "a.localhost",
        "svc",
        "victim.team-b.svc.",
    ] {
        check_errors(vec![(external(host), json!({}), "HostNotOutside", at)]);
    }
    for host in [
        "api.example.com",
        "*.example.org",
        "local.example.com",
        "v6.example.com",
        "a1.b2",
        "internal.example.com",
    ] {
        valid(&external(host), &json!({}));
    }
}

#[test]
fn jobs_are_counted() {
    let job = |name: &str, schedule: &str, rest: Value| {
        let mut job = json!({"name": name, "schedule": schedule, "command": ["x"]});
        super::extend(&mut job, &rest);
        job
    };
    let often = |least: &str| json!({"limits": {"jobs": {"parallelPods": 16, "leastInterval": least}}});
    let flood: Vec<Value> = (0..16)
        .map(|i| {
            job(
                &format!("j{i}"),
                "* * * * *",
                json!({"concurrency": "Allow", "timeoutSeconds": 604_800}),
            )
        })
        .collect();
    let problems = validate(&app(&json!({"jobs": flood})), &cluster(&json!({}))).unwrap_err();
    assert_eq!(problems.iter().filter(|p| p.reason == LIMIT).count(), 17);
    assert!(
        problems.iter().any(|p| p.message.contains("161280 pods")),
        "{problems:#?}"
    );
    check_errors(vec![
        (
            json!({"jobs": [job("a", "* * * * *", json!({}))]}),
            json!({}),
            LIMIT,
            "spec.jobs[0].schedule",
        ),
        (
            json!({"jobs": [job("a", "0,1 * * * *", json!({}))]}),
            often("2m"),
            LIMIT,
            "spec.jobs[0].schedule",
        ),
        (
            json!({"jobs": [job("a", "*/5 * * * *", json!({"concurrency": "Allow", "timeoutSeconds": 4801}))]}),
            json!({}),
            LIMIT,
            "spec.jobs",
        ),
    ]);
    let sixteen = job(
        "a",
        "*/5 * * * *",
        json!({"concurrency": "Allow", "timeoutSeconds": 4800}),
    );
    valid(&json!({"jobs": [sixteen]}), &json!({}));
    valid(&json!({"jobs": [job("a", "* * * * *", json!({}))]}), &often("1m"));
    valid(
        &json!({"jobs": [{"name": "a", "command": ["x"], "concurrency": "Allow", "timeoutSeconds": 604_800}]}),
        &json!({}),
    );
}

#[test]
fn times_and_sizes_are_bounded() {
    let none = json!({"gateway": {"allowPlaintext": true}});
    let metrics = |interval: &str| json!({"observability": {"metrics": {"interval": interval}}});
    let route = |fields: Value| {
        let mut route = json!({"host": "shop", "tls": {"mode": "None"}});
        super::extend(&mut route, &fields);
        json!({"routes": [route]})
    };
    let resources = |cpu: &str, memory: &str| json!({"resources": {"cpu": cpu, "memory": memory}});
    let interval = "spec.observability.metrics.interval";
    check_errors(vec![
        (metrics("1ms"), none.clone(), LIMIT, interval),
        (metrics("14s999ms"), none.clone(), LIMIT, interval),
        (metrics("200h"), none.clone(), LIMIT, interval),
        (
            metrics("99999999999999999999999999999h"),
            none.clone(),
            "InvalidSpec",
            interval,
        ),
        (
            metrics("20s"),
            json!({"limits": {"metrics": {"leastInterval": "30s"}}}),
            LIMIT,
            interval,
        ),
        (
            route(json!({"timeout": "2h"})),
            none.clone(),
            LIMIT,
            "spec.routes[0].timeout",
        ),
        (
            route(json!({"retries": {"attempts": 1, "perTryTimeout": "1000h"}})),
            none.clone(),
            LIMIT,
            "spec.routes[0].retries.perTryTimeout",
        ),
        (
            route(json!({"cors": {"allowOrigins": ["https://a.example.com"], "maxAge": "999h"}})),
            none.clone(),
            LIMIT,
            "spec.routes[0].cors.maxAge",
        ),
        (resources("240", "1Gi"), none.clone(), LIMIT, "spec.resources.cpu"),
        (
            resources("1", "900Gi"),
            none.clone(),
            LIMIT,
            "spec.resources.memory",
        ),
        (
            json!({"rollout": {"maxSurge": 1_000_000}}),
            none.clone(),
            "InvalidRollout",
            "spec.rollout.maxSurge",
        ),
    ]);
    valid(&metrics("15s"), &none);
    valid(&route(json!({"timeout": "0s"})), &none);
    valid(&resources("2", "4Gi"), &none);
    valid(&resources("8", "4Gi"), &json!({"limits": {"pod": {"cpu": "8"}}}));
}
