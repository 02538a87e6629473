//! Validated applications for tests that describe the scenario: `app()` is the minimum, and each test adds what it
//! tests.

use idp_api::{
    environment::{GatewayPolicy, Mesh, Monitoring, Registry},
    web_application::{
        AppProtocol, Availability, Cidr, ExternalHost, Health, Latency, Metrics, Objective, Outbound,
        PathMatch, Peer, Rollout, Spread,
    },
};
use idp_core::{Child, labels};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use crate::validate::{
    Scale, ValidInbound, ValidObjective, ValidPlacement, ValidPort, ValidResources, ValidRoute, Validated,
};

/// `shop` in the namespace `team-a`, in a mesh with sidecars: no routes, and no access in either direction.
pub(super) fn app() -> Validated {
    Validated {
        name: "shop".into(),
        namespace: "team-a".into(),
        environment: "staging".into(),
        labels: labels::for_child("shop", "idp-webapp"),
        selector: labels::selector("shop"),
        image: "registry.example.com/shop:1".into(),
        pull_secrets: Vec::new(),
        command: Vec::new(),
        args: Vec::new(),
        ports: vec![port("http", 8080)],
        resources: ValidResources {
            cpu: Quantity("100m".into()),
            memory: Quantity("128Mi".into()),
            cpu_limit: None,
        },
        health: Health::default(),
        env: Vec::new(),
        config_files: Vec::new(),
        used_config_maps: Vec::new(),
        scale: Scale::Fixed(2),
        current_replicas: None,
        routes: Vec::new(),
        inbound: Vec::new(),
        outbound: Vec::new(),
        rollout: Rollout::default(),
        migration: None,
        jobs: Vec::new(),
        metrics: None,
        samples: 20_000,
        objectives: Vec::new(),
        dashboard: true,
        placement: ValidPlacement {
            spread: Spread::Zones,
            node_selector: Default::default(),
            tolerations: Vec::new(),
            priority_class: None,
        },
        registry: Registry::default(),
        max_resources: ValidResources {
            cpu: Quantity("2".into()),
            memory: Quantity("4Gi".into()),
            cpu_limit: None,
        },
        cluster_ranges: Vec::new(),
        gateway: GatewayPolicy::default(),
        mesh: Mesh::default(),
        monitoring: Monitoring::default(),
        dns_namespace: "kube-system".into(),
        supplies: Default::default(),
        patches: Vec::new(),
        allowed_patches: Vec::new(),
        warnings: Vec::new(),
    }
}

/// An HTTP port. Its Service port is 80 if its name is `http`, otherwise the same number.
pub(super) fn port(name: &str, port: i32) -> ValidPort {
    let service_port = if name == "http" { 80 } else { port };
    ValidPort {
        name: name.into(),
        port,
        service_port,
        protocol: AppProtocol::Http,
    }
}

/// An unencrypted route by prefix to the port `http`, through the application's own Gateway.
pub(super) fn route(host: &str, path: &str) -> ValidRoute {
    ValidRoute {
        host: host.into(),
        path: path.into(),
        path_match: PathMatch::Prefix,
        port: port("http", 8080),
        redirect: None,
        rewrite: None,
        timeout: None,
        retries: None,
        cors: None,
        tls_secret: None,
        gateway: None,
    }
}

/// A caller of the port `http`.
pub(super) fn caller(application: Option<&str>, namespace: Option<&str>) -> ValidInbound {
    ValidInbound {
        application: application.map(Into::into),
        namespace: namespace.map(Into::into),
        ports: vec![port("http", 8080)],
        methods: Vec::new(),
        paths: Vec::new(),
    }
}

/// An outbound permission for an external host.
pub(super) fn external(host: &str, port: i32) -> Outbound {
    Outbound {
        external: Some(ExternalHost {
            host: host.into(),
            port,
        }),
        ..Default::default()
    }
}

/// An outbound permission for an application.
pub(super) fn peer(name: &str, namespace: Option<&str>) -> Outbound {
    Outbound {
        application: Some(Peer {
            name: name.into(),
            namespace: namespace.map(Into::into),
        }),
        ..Default::default()
    }
}

/// An outbound permission for a range of addresses.
pub(super) fn cidr(range: &str, ports: &[i32]) -> Outbound {
    Outbound {
        cidr: Some(Cidr {
            range: range.into(),
            ports: ports.to_vec(),
        }),
        ..Default::default()
    }
}

/// Metrics at `/metrics` of a port.
pub(super) fn metrics(port: ValidPort) -> (Metrics, ValidPort) {
    (
        Metrics {
            path: "/metrics".into(),
            port: Some(port.name.clone()),
            interval: None,
        },
        port,
    )
}

/// An availability objective.
pub(super) fn availability(name: &str, target: f64, window_days: i32) -> ValidObjective {
    let availability = Some(Availability {
        percent: (target * 100.0).to_string(),
    });
    ValidObjective {
        spec: Objective {
            name: name.into(),
            availability,
            latency: None,
            window_days,
        },
        target,
    }
}

/// A latency objective.
pub(super) fn latency(name: &str, target: f64, milliseconds: i32) -> ValidObjective {
    let latency = Some(Latency {
        percent: (target * 100.0).to_string(),
        milliseconds,
    });
    ValidObjective {
        spec: Objective {
            name: name.into(),
            availability: None,
            latency,
            window_days: 30,
        },
        target,
    }
}

/// The `spec` of the only child.
pub(super) fn only_spec(children: &[Child]) -> &Value {
    assert_eq!(children.len(), 1, "{children:#?}");
    &children[0].object["spec"]
}
