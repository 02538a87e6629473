//! The sections of an application's spec, and the requests for their plans. Pure.

use std::collections::BTreeMap;

use idp_api::{
    EnvironmentSpec, WebApplication,
    environment::GatewayMode,
    web_application::{Route, TlsMode},
};
use idp_core::capability::SectionRequest;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{CERTIFICATES, CLAIMS, SECRETS, is_built_in};
use crate::hosts::complete_host;

/// One section, and the capability that serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Name of the capability.
    pub capability: String,
    /// Path of the section in the spec.
    pub path: String,
    /// The section.
    pub value: Value,
}

/// The sections of `app`. `has_claims`: whether it has claims, which their capability must plan even if the spec does not
/// name them any more.
pub fn sections(app: &WebApplication, environment: &EnvironmentSpec, has_claims: bool) -> Vec<Section> {
    let spec = &app.spec;
    let section = |capability: &str, path: &str, value: Value| Section {
        capability: capability.to_owned(),
        path: path.to_owned(),
        value,
    };
    let mut sections = Vec::new();
    if !spec.secrets.is_empty() {
        sections.push(section(SECRETS, "spec.secrets", json!(spec.secrets)));
    }
    let storage = spec
        .storage
        .as_ref()
        .filter(|storage| !storage.buckets.is_empty() || !storage.volumes.is_empty());
    if has_claims || !spec.databases.is_empty() || storage.is_some() {
        let mut value = json!({});
        if !spec.databases.is_empty() {
            value["databases"] = json!(spec.databases);
        }
        if let Some(storage) = storage {
            value["storage"] = json!(storage);
        }
        sections.push(section(CLAIMS, "spec", value));
    }
    let hosts = certificate_hosts(&spec.routes, environment);
    if !hosts.is_empty() {
        let hosts: Vec<Value> = hosts
            .into_iter()
            .map(|(host, path)| json!({"host": host, "path": path}))
            .collect();
        sections.push(section(CERTIFICATES, "spec.routes", json!({ "hosts": hosts })));
    }
    // The platform's own capabilities have their own fields. Those of `spec.capabilities` cannot imitate them.
    let others = spec.capabilities.iter().filter(|(name, _)| !is_built_in(name));
    for (name, value) in others {
        sections.push(section(name, &format!("spec.capabilities.{name}"), value.clone()));
    }
    sections
}

/// The request for a section's plan.
pub fn section_request(
    app: &WebApplication,
    environment: &str,
    spec: &EnvironmentSpec,
    section: &Section,
) -> SectionRequest {
    SectionRequest {
        namespace: app.namespace().unwrap_or_default(),
        application: app.name_any(),
        environment: environment.to_owned(),
        environment_spec: serde_json::to_value(spec).unwrap_or_default(),
        section: section.value.clone(),
        path: section.path.clone(),
    }
}

/// Hosts of the application's own Gateway that need a certificate, each with the first field that names it.
fn certificate_hosts(routes: &[Route], environment: &EnvironmentSpec) -> BTreeMap<String, String> {
    let mut hosts = BTreeMap::new();
    if environment.gateway.mode != GatewayMode::Dedicated {
        return hosts;
    }
    for (index, route) in routes.iter().enumerate() {
        let mode = route.tls.as_ref().map_or(TlsMode::Auto, |tls| tls.mode);
        if mode == TlsMode::Auto && route.gateway.is_none() {
            let host = complete_host(&route.host, &environment.base_domain).to_lowercase();
            hosts
                .entry(host)
                .or_insert_with(|| format!("spec.routes[{index}].host"));
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use idp_api::{
        WebApplicationSpec,
        web_application::{Database, RouteTls, SecretUse},
    };

    use super::*;

    fn app(spec: WebApplicationSpec) -> WebApplication {
        WebApplication::new("shop", spec)
    }

    fn route(host: &str, mode: TlsMode) -> Route {
        Route {
            host: host.into(),
            tls: Some(RouteTls {
                mode,
                ..RouteTls::default()
            }),
            ..Route::default()
        }
    }

    fn names(app: &WebApplication, has_claims: bool) -> Vec<String> {
        let environment = EnvironmentSpec {
            base_domain: "example.com".into(),
            ..EnvironmentSpec::default()
        };
        let sections = sections(app, &environment, has_claims);
        sections.into_iter().map(|section| section.capability).collect()
    }

    #[test]
    fn only_capabilities_of_the_spec_are_called() {
        assert!(names(&app(WebApplicationSpec::default()), false).is_empty());
        assert_eq!(names(&app(WebApplicationSpec::default()), true), [CLAIMS]);
        let spec = WebApplicationSpec {
            secrets: vec![SecretUse::default()],
            databases: vec![Database::default()],
            routes: vec![route("a", TlsMode::None)],
            capabilities: ["mail", SECRETS, CLAIMS, CERTIFICATES]
                .map(|name| (name.to_owned(), json!({"hosts": [{"host": "a", "path": "x"}]})))
                .into(),
            ..WebApplicationSpec::default()
        };
        // The platform's own capabilities are reached by their own fields only.
        assert_eq!(names(&app(spec), false), [SECRETS, CLAIMS, "mail"]);
    }

    #[test]
    fn a_host_is_certified_once_where_its_first_route_names_it() {
        let environment = EnvironmentSpec {
            base_domain: "example.com".into(),
            ..EnvironmentSpec::default()
        };
        let routes = [
            route("plain", TlsMode::None),
            route("shop", TlsMode::Auto),
            route("shop", TlsMode::Auto),
        ];
        assert_eq!(
            certificate_hosts(&routes, &environment),
            [("shop.example.com".to_owned(), "spec.routes[1].host".to_owned())].into()
        );
    }
}
