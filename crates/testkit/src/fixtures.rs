//! Applications that read as the scenario they stand for.

use idp_api::{
    WebApplication, WebApplicationSpec,
    web_application::{Placement, Route, Spread, Toleration},
};

/// An application of the smallest kind; see [`AppFixture`] for the rest.
pub fn app(namespace: &str, name: &str) -> WebApplication {
    let mut app = WebApplication::new(
        name,
        WebApplicationSpec {
            image: "shop:1.0".to_owned(),
            ..Default::default()
        },
    );
    app.metadata.namespace = Some(namespace.to_owned());
    app
}

/// An application as most are: a route, autoscaling, metrics and a dashboard; on fake nodes. Its hosts are its own.
///
/// # Panics
/// When the API has changed.
pub fn typical(namespace: &str, name: &str) -> WebApplication {
    let spec = serde_json::json!({
        "image": "shop:1.0",
        "ports": [
            { "name": "http", "port": 8080, "protocol": "Http" },
            { "name": "metrics", "port": 9090 },
        ],
        "resources": { "size": "small" },
        "health": { "readiness": { "http": { "path": "/readyz" } } },
        "env": [{ "name": "MODE", "value": "production" }],
        "routes": [{ "host": format!("{name}-{namespace}"), "path": "/" }],
        "autoscaling": { "maxReplicas": 3, "cpuPercent": 70 },
        "access": { "inbound": [{ "application": "storefront" }] },
        "observability": { "metrics": { "port": "metrics" }, "dashboard": "Enabled" },
    });
    let spec = serde_json::from_value(spec).expect("the fixture is a spec");
    let mut app = WebApplication::new(name, spec);
    app.metadata.namespace = Some(namespace.to_owned());
    app.on_fake_nodes()
}

/// The every-feature application of the repository, in `namespace`, with its hosts moved below `namespace` so that
/// tests do not contend for them.
///
/// # Panics
/// When the file in the repository is not a WebApplication.
pub fn sample(namespace: &str) -> WebApplication {
    let file = crate::root().join("applications/sample-web-app/webapplication.yaml");
    let documents = idp_api::manifests::parse(&std::fs::read_to_string(file).expect("the sample exists"));
    let apps = idp_api::manifests::typed(&documents.expect("the sample is YAML"), "WebApplication");
    let mut app: WebApplication = apps.expect("the sample is valid").remove(0);
    app.metadata.namespace = Some(namespace.to_owned());
    for route in &mut app.spec.routes {
        route.host = if route.host.contains('.') {
            format!("{namespace}.{}", route.host)
        } else {
            format!("{}-{namespace}", route.host)
        };
    }
    app
}

/// Changes to an application, each returning it.
pub trait AppFixture: Sized {
    /// The spec, to be changed.
    fn spec_mut(&mut self) -> &mut WebApplicationSpec;

    /// Runs on fake nodes: for what needs many pods, or none that really run.
    #[must_use]
    fn on_fake_nodes(mut self) -> Self {
        let placement = Placement {
            spread: Spread::None,
            node_selector: [("type".to_owned(), "kwok".to_owned())].into(),
            tolerations: vec![Toleration {
                key: "kwok.x-k8s.io/node".to_owned(),
                ..Toleration::default()
            }],
            ..Placement::default()
        };
        self.spec_mut().placement = Some(placement);
        self
    }

    /// Has a route on `host`.
    #[must_use]
    fn route(mut self, host: &str) -> Self {
        let route = Route {
            host: host.to_owned(),
            path: "/".to_owned(),
            ..Route::default()
        };
        self.spec_mut().routes.push(route);
        self
    }

    /// Runs `image`.
    #[must_use]
    fn image(mut self, image: &str) -> Self {
        self.spec_mut().image = image.to_owned();
        self
    }

    /// Has this many pods.
    #[must_use]
    fn replicas(mut self, replicas: i32) -> Self {
        self.spec_mut().replicas = Some(replicas);
        self
    }
}

impl AppFixture for WebApplication {
    fn spec_mut(&mut self) -> &mut WebApplicationSpec {
        &mut self.spec
    }
}
