//! Fixtures that read like the scenario that they represent.

use idp_api::{
    WebApplication, WebApplicationSpec,
    web_application::{Placement, Route, Spread, Toleration},
};

/// A minimal application. [`AppFixture`] extends it.
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

/// A typical application: a route, autoscaling, metrics and a dashboard, on fake nodes. Its hosts are unique.
///
/// # Panics
/// When the fixture does not match the API.
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

/// The repository's application that uses every feature, in `namespace`. Its hosts contain `namespace`, so that tests do
/// not conflict.
///
/// # Panics
/// When the file is not a WebApplication.
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

/// Changes to an application, for chaining.
pub trait AppFixture: Sized {
    /// The spec, for other changes.
    fn spec_mut(&mut self) -> &mut WebApplicationSpec;

    /// Runs on fake nodes, for tests with many pods, or without real ones.
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

    /// Adds a route for `host`.
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

    /// Sets the image.
    #[must_use]
    fn image(mut self, image: &str) -> Self {
        self.spec_mut().image = image.to_owned();
        self
    }

    /// Sets the number of replicas.
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
