//! Parts of a spec, and the resulting values in children.

use idp_api::{WebApplication, WebApplicationSpec};
use idp_testkit::fixtures::{AppFixture, app};
use serde_json::{Value, json};

/// An expected value in a child.
pub(crate) struct Arrival {
    pub(crate) kind: &'static str,
    /// JSON pointer.
    pub(crate) at: &'static str,
    pub(crate) value: Value,
}

/// Fields of a spec, and the values that they cause.
pub(crate) struct Fragment {
    pub(crate) name: &'static str,
    pub(crate) spec: Value,
    pub(crate) arrives: Vec<Arrival>,
}

/// An application without optional fields, on fake nodes.
pub(crate) fn base(ns: &str, name: &str) -> WebApplication {
    let mut app = app(ns, name).on_fake_nodes().replicas(2);
    app.spec.ports = serde_json::from_value(json!([{"name": "http", "port": 8080}])).unwrap();
    app
}

/// `spec` with the fragment's fields merged in; `null` removes a field.
pub(crate) fn with(spec: &WebApplicationSpec, fragment: &Value) -> WebApplicationSpec {
    let mut fields = serde_json::to_value(spec).unwrap();
    for (key, value) in fragment.as_object().unwrap() {
        if value.is_null() {
            fields.as_object_mut().unwrap().remove(key);
        } else {
            fields[key] = value.clone();
        }
    }
    serde_json::from_value(fields).unwrap_or_else(|error| panic!("{fragment}: {error}"))
}

fn fragment(name: &'static str, spec: Value, arrives: Vec<Arrival>) -> Fragment {
    Fragment { name, spec, arrives }
}

fn at(kind: &'static str, at: &'static str, value: impl Into<Value>) -> Arrival {
    Arrival {
        kind,
        at,
        value: value.into(),
    }
}

fn deployed(pointer: &'static str, value: impl Into<Value>) -> Arrival {
    at("Deployment", pointer, value)
}

/// One fragment for each field, and several for fields with many parts. `host` belongs to the application.
pub(crate) fn fragments(host: &str) -> Vec<Fragment> {
    let mut all = workload();
    all.extend(routes(host));
    all.extend(operations());
    all
}

fn workload() -> Vec<Fragment> {
    vec![
        fragment(
            "image",
            json!({"image": "shop:2.0"}),
            vec![deployed("/spec/template/spec/containers/0/image", "shop:2.0")],
        ),
        fragment(
            "command",
            json!({"command": ["/bin/shop"], "args": ["serve", "--fast"]}),
            vec![
                deployed("/spec/template/spec/containers/0/command", json!(["/bin/shop"])),
                deployed("/spec/template/spec/containers/0/args/1", "--fast"),
            ],
        ),
        fragment(
            "replicas",
            json!({"replicas": 3}),
            vec![deployed("/spec/replicas", 3)],
        ),
        fragment(
            "stopped",
            json!({"replicas": 0}),
            vec![deployed("/spec/replicas", 0)],
        ),
        fragment(
            "ports",
            json!({"ports": [
                {"name": "http", "port": 8080},
                {"name": "grpc", "port": 9000, "servicePort": 9001, "protocol": "Grpc"},
            ]}),
            vec![
                deployed("/spec/template/spec/containers/0/ports/1/containerPort", 9000),
                at("Service", "/spec/ports/1/port", 9001),
            ],
        ),
        fragment(
            "resources",
            json!({"resources": {"cpu": "15m", "memory": "32Mi", "cpuLimit": "1000m"}}),
            vec![
                deployed("/spec/template/spec/containers/0/resources/requests/cpu", "15m"),
                deployed("/spec/template/spec/containers/0/resources/limits/memory", "32Mi"),
            ],
        ),
        fragment(
            "size",
            json!({"resources": {"size": "medium"}}),
            vec![deployed(
                "/spec/template/spec/containers/0/resources/requests/memory",
                "128Mi",
            )],
        ),
        fragment(
            "health",
            json!({"health": {
                "readiness": {"http": {"path": "/ready"}, "periodSeconds": 7},
                "liveness": {"exec": {"command": ["/bin/alive"]}},
                "startup": {"tcp": {"port": "http"}, "failureThreshold": 9},
                "terminationGraceSeconds": 45,
            }}),
            vec![
                deployed(
                    "/spec/template/spec/containers/0/readinessProbe/httpGet/path",
                    "/ready",
                ),
                deployed(
                    "/spec/template/spec/containers/0/livenessProbe/exec/command/0",
                    "/bin/alive",
                ),
                deployed(
                    "/spec/template/spec/containers/0/startupProbe/failureThreshold",
                    9,
                ),
                deployed("/spec/template/spec/terminationGracePeriodSeconds", 45),
            ],
        ),
        fragment(
            "grpc",
            json!({
                "ports": [{"name": "http", "port": 8080}, {"name": "grpc", "port": 9000, "protocol": "Grpc"}],
                "health": {"readiness": {"grpc": {"port": "grpc", "service": "shop.v1.Shop"}}},
            }),
            vec![deployed(
                "/spec/template/spec/containers/0/readinessProbe/grpc/service",
                "shop.v1.Shop",
            )],
        ),
        fragment(
            "env",
            json!({"env": [
                {"name": "AAA_MODE", "value": "loud"},
                {"name": "AAA_NODE", "fromField": "NodeName"},
            ]}),
            vec![],
        ),
        fragment(
            "files",
            json!({"configFiles": [{"path": "/etc/shop/a.json", "content": "{}"}, {"path": "/etc/shop/b", "content": "b"}]}),
            vec![],
        ),
    ]
}

fn routes(host: &str) -> Vec<Fragment> {
    // Hosts are NAME-NAMESPACE, and Secrets of the gateway for a namespace are NAMESPACE.NAME.
    let secret = format!(
        "{}.own",
        host.split_once('-').map_or(host, |(_, namespace)| namespace)
    );
    vec![
        fragment(
            "route",
            json!({"routes": [{"host": host}]}),
            vec![
                at("Gateway", "/kind", "Gateway"),
                at("VirtualService", "/spec/hosts/0", format!("{host}.idp.localhost")),
            ],
        ),
        fragment(
            "hosts",
            json!({"routes": [
                {"host": host},
                {"host": format!("{host}-two"), "path": "/api", "rewrite": "/", "timeout": "5s", "retries": {"attempts": 2}},
            ]}),
            vec![],
        ),
        fragment(
            "redirect",
            json!({"routes": [{"host": host, "path": "/old", "pathMatch": "Exact", "redirect": {"path": "/new", "code": 308}}]}),
            vec![at("VirtualService", "/spec/http/0/redirect/redirectCode", 308)],
        ),
        fragment(
            "encrypted",
            json!({
                "ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 8081}],
                "routes": [{"host": host, "port": "admin", "tls": {"mode": "Secret", "secretName": secret}}],
            }),
            vec![
                at(
                    "VirtualService",
                    "/spec/http/0/route/0/destination/port/number",
                    8081,
                ),
                at("Gateway", "/spec/servers/0/tls/credentialName", secret.as_str()),
            ],
        ),
        fragment(
            "cors",
            json!({"routes": [{"host": host, "cors": {"allowOrigins": ["https://docs.example.com"], "allowMethods": ["GET"]}}]}),
            vec![at(
                "VirtualService",
                "/spec/http/0/corsPolicy/allowMethods/0",
                "GET",
            )],
        ),
    ]
}

fn operations() -> Vec<Fragment> {
    vec![
        fragment(
            "autoscaling",
            json!({"replicas": null, "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "cpuPercent": 60,
                "memoryPercent": 80, "scaleDownAfterSeconds": 120, "requestsPerSecond": 30, "custom": [{"name": "depth", "source": "External", "average": "1500m"}]}}),
            vec![
                at("HorizontalPodAutoscaler", "/spec/maxReplicas", 5),
                at(
                    "HorizontalPodAutoscaler",
                    "/spec/behavior/scaleDown/stabilizationWindowSeconds",
                    120,
                ),
            ],
        ),
        fragment(
            "inbound",
            json!({"access": {"inbound": [{"application": "till", "namespace": "sales", "methods": ["GET"], "paths": ["/a/*"], "ports": ["http"]}]}}),
            vec![],
        ),
        fragment(
            "outbound",
            json!({"access": {"outbound": [
                {"application": {"name": "stock"}},
                {"external": {"host": "api.example.com"}},
                {"cidr": {"range": "192.0.2.0/24", "ports": [5432]}},
            ]}}),
            vec![],
        ),
        fragment(
            "rollout",
            json!({"rollout": {"maxSurge": "50%", "maxUnavailable": 1, "progressDeadlineSeconds": 77}}),
            vec![
                deployed("/spec/strategy/rollingUpdate/maxSurge", "50%"),
                deployed("/spec/progressDeadlineSeconds", 77),
            ],
        ),
        fragment(
            "migration",
            json!({"migration": {"command": ["/bin/migrate"], "timeoutSeconds": 99}}),
            vec![],
        ),
        fragment(
            "jobs",
            json!({"jobs": [
                {"name": "nightly", "schedule": "30 3 * * *", "timeZone": "Europe/Berlin", "command": ["/bin/report"],
                    "concurrency": "Replace"},
                {"name": "by-hand", "command": ["/bin/fix"]},
            ]}),
            vec![
                at("CronJob", "/spec/schedule", "30 3 * * *"),
                at("CronJob", "/spec/concurrencyPolicy", "Replace"),
            ],
        ),
        fragment(
            "metrics",
            json!({"observability": {"metrics": {"path": "/m", "interval": "15s"}}}),
            vec![at("ServiceMonitor", "/spec/endpoints/0/path", "/m")],
        ),
        fragment(
            "objectives",
            json!({"observability": {"objectives": [
                {"name": "up", "availability": {"percent": "99.9"}},
                {"name": "fast", "latency": {"percent": "95", "milliseconds": 250}, "windowDays": 7},
            ]}}),
            vec![],
        ),
        fragment(
            "no-dashboard",
            json!({"observability": {"dashboard": "Disabled"}}),
            vec![],
        ),
        fragment(
            "placement",
            json!({"placement": {"spread": "Zones", "priorityClass": "important", "nodeSelector": {"type": "kwok"}, "tolerations": [
                {"key": "kwok.x-k8s.io/node"}, {"key": "example.com/dedicated", "value": "web", "effect": "NoSchedule"},
            ]}}),
            vec![
                deployed(
                    "/spec/template/spec/topologySpreadConstraints/0/topologyKey",
                    "topology.kubernetes.io/zone",
                ),
                deployed("/spec/template/spec/priorityClassName", "important"),
            ],
        ),
        fragment(
            "patches",
            json!({"patches": [{"kind": "Deployment", "merge": {"spec": {"minReadySeconds": 3}}}]}),
            vec![deployed("/spec/minReadySeconds", 3)],
        ),
    ]
}
