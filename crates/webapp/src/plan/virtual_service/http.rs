//! A route as entries of a VirtualService's `http` list. The first match wins.

use std::cmp::Reverse;

use idp_api::web_application::{Cors, PathMatch, Redirect, Retries};
use serde_json::{Map, Value, json};

use crate::validate::{ValidRoute, Validated};

/// Failures after which every method can be retried: the request has not reached the application.
const SAFE_TO_REPEAT: &str = "connect-failure,refused-stream,unavailable";

/// Sorts the most specific route first: exact paths before prefixes, longer paths before shorter ones, then by path,
/// so that the result never depends on the order in the resource.
pub(super) fn precedence(route: &ValidRoute) -> (bool, Reverse<usize>, String) {
    let path = base(&route.path);
    (
        route.path_match == PathMatch::Prefix,
        Reverse(path.len()),
        path.to_owned(),
    )
}

/// The entries of a route: one, or two if a prefix and the paths below it are rewritten differently.
///
/// Istio compares a prefix as text, so `/api` would match `/apix` too. The intended matches are `/api` itself and
/// everything below `/api/`: two matches. A rewrite replaces the matched text, which for the second ends with a
/// slash; so must its replacement, or `/api/x` would become `/v1x`.
pub(super) fn entries(app: &Validated, route: &ValidRoute, only_at: Option<&str>) -> Vec<Value> {
    let entry = |uris: &[Value], rewrite: Option<&str>| {
        let matches: Vec<Value> = uris
            .iter()
            .map(|uri| json!({"uri": uri, "gateways": only_at.map(|at| [at])}))
            .collect();
        let mut fields = Map::from_iter([("match".to_owned(), json!(matches))]);
        fields.extend(answer(app, route, rewrite));
        Value::Object(fields)
    };
    if route.path_match == PathMatch::Exact {
        return vec![entry(&[json!({"exact": route.path})], route.rewrite.as_deref())];
    }
    let path = base(&route.path);
    let itself = json!({"exact": path});
    let below = json!({"prefix": format!("{path}/")});
    let rewrite = route.rewrite.as_deref().map(base);
    match rewrite {
        // Every path is below the root, including the root itself.
        _ if path.is_empty() => vec![entry(&[below], rewrite.map(|to| format!("{to}/")).as_deref())],
        None => vec![entry(&[itself, below], None)],
        Some("") => vec![entry(&[itself, below], Some("/"))],
        Some(to) => vec![
            entry(&[itself], Some(to)),
            entry(&[below], Some(&format!("{to}/"))),
        ],
    }
}

/// A path without its trailing slash, which is irrelevant for a prefix; the root is empty.
fn base(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn answer(app: &Validated, route: &ValidRoute, rewrite: Option<&str>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut set =
        |name: &str, value: Option<Value>| fields.extend(value.map(|value| (name.to_owned(), value)));
    set("corsPolicy", route.cors.as_ref().map(cors));
    if let Some(target) = &route.redirect {
        set("redirect", Some(redirect(target)));
        return fields;
    }
    let destination = json!({"host": app.service_host(), "port": {"number": route.port.service_port}});
    set("route", Some(json!([{"destination": destination}])));
    set("rewrite", rewrite.map(|uri| json!({"uri": uri})));
    set("timeout", route.timeout.as_ref().map(|time| json!(time)));
    set("retries", route.retries.as_ref().map(retries));
    fields
}

fn redirect(target: &Redirect) -> Value {
    json!({"uri": target.path, "authority": target.host, "redirectCode": target.code})
}

/// Zero attempts disable Istio's default of two; Istio rejects any other field in that case.
fn retries(retries: &Retries) -> Value {
    if retries.attempts == 0 {
        return json!({"attempts": 0});
    }
    json!({
        "attempts": retries.attempts,
        "perTryTimeout": retries.per_try_timeout,
        "retryOn": retries.retry_on.as_deref().unwrap_or(SAFE_TO_REPEAT),
    })
}

fn cors(cors: &Cors) -> Value {
    // Envoy treats the exact origin `*` as "any".
    let origins: Vec<Value> = cors
        .allow_origins
        .iter()
        .map(|origin| json!({"exact": origin}))
        .collect();
    let some = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
    json!({
        "allowOrigins": origins,
        "allowMethods": some(&cors.allow_methods),
        "allowHeaders": some(&cors.allow_headers),
        "exposeHeaders": some(&cors.expose_headers),
        "allowCredentials": cors.allow_credentials.then_some(true),
        "maxAge": cors.max_age,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{app, route};

    /// Pairs of a matched text and its replacement.
    fn rewrites(path: &str, rewrite: Option<&str>) -> Vec<(Value, Value)> {
        let route = ValidRoute {
            rewrite: rewrite.map(Into::into),
            ..route("a.example.com", path)
        };
        let uris = |entry: &Value| -> Value {
            entry["match"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["uri"].clone())
                .collect()
        };
        entries(&app(), &route, None)
            .iter()
            .map(|entry| (uris(entry), entry["rewrite"]["uri"].clone()))
            .collect()
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let both = json!([{"exact": "/api"}, {"prefix": "/api/"}]);
        assert_eq!(rewrites("/api", None), [(both.clone(), Value::Null)]);
        assert_eq!(rewrites("/api/", None), [(both, Value::Null)]);
        assert_eq!(rewrites("/", None), [(json!([{"prefix": "/"}]), Value::Null)]);
    }

    #[test]
    fn a_rewrite_keeps_the_rest_of_the_path() {
        let (itself, below) = (json!([{"exact": "/api"}]), json!([{"prefix": "/api/"}]));
        let different = [(itself, json!("/v1")), (below, json!("/v1/"))];
        assert_eq!(rewrites("/api", Some("/v1")), different);
        assert_eq!(rewrites("/api", Some("/v1/")), different);
        let both = json!([{"exact": "/api"}, {"prefix": "/api/"}]);
        assert_eq!(rewrites("/api", Some("/")), [(both, json!("/"))]);
        assert_eq!(
            rewrites("/", Some("/v1")),
            [(json!([{"prefix": "/"}]), json!("/v1/"))]
        );
    }

    #[test]
    fn a_complete_entry() {
        let route = ValidRoute {
            path_match: PathMatch::Exact,
            rewrite: Some("/new".into()),
            timeout: Some("15s".into()),
            retries: Some(Retries {
                attempts: 2,
                per_try_timeout: Some("2s".into()),
                retry_on: None,
            }),
            cors: Some(Cors {
                allow_origins: vec!["https://b.example.com".into()],
                ..Cors::default()
            }),
            ..route("a.example.com", "/old")
        };
        let entry = &entries(&app(), &route, None)[0];
        assert_eq!(
            entry["route"],
            json!([{"destination": {"host": "shop.team-a.svc.cluster.local", "port": {"number": 80}}}])
        );
        assert_eq!(entry["rewrite"], json!({"uri": "/new"}));
        assert_eq!(entry["timeout"], "15s");
        assert_eq!(
            entry["retries"],
            json!({"attempts": 2, "perTryTimeout": "2s", "retryOn": "connect-failure,refused-stream,unavailable"})
        );
        assert_eq!(
            entry["corsPolicy"]["allowOrigins"],
            json!([{"exact": "https://b.example.com"}])
        );
    }

    #[test]
    fn a_redirect_reaches_no_pod() {
        let target = Redirect {
            host: Some("b.example.com".into()),
            path: None,
            code: 308,
        };
        let route = ValidRoute {
            redirect: Some(target),
            ..route("a.example.com", "/")
        };
        let entry = &entries(&app(), &route, None)[0];
        assert_eq!(entry["redirect"]["authority"], "b.example.com");
        assert_eq!(entry["redirect"]["redirectCode"], 308);
        assert!(entry.get("route").is_none());
    }

    #[test]
    fn no_attempts_turn_retries_off() {
        let off = Retries {
            attempts: 0,
            per_try_timeout: Some("2s".into()),
            retry_on: Some("5xx".into()),
        };
        assert_eq!(retries(&off), json!({"attempts": 0}));
    }
}
