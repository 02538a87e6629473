//! What happens around every call that the server gets: authorization, trace, metrics.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use metrics::{counter, histogram};
use opentelemetry::propagation::{Extractor, Injector};
use tonic::{Code, Status, body::Body};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    peer::Caller,
    server::{ANYONE, Callers},
};

/// Who may call what, of all services.
#[derive(Debug)]
pub(crate) struct Rules {
    namespace: String,
    callers: HashMap<String, &'static [&'static str]>,
}

impl Rules {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            callers: HashMap::new(),
        }
    }

    pub(crate) fn allow(&mut self, service: &str, callers: Callers) {
        for (method, names) in callers {
            self.callers.insert(format!("/{service}/{method}"), names);
        }
    }

    /// # Errors
    /// `PERMISSION_DENIED`, or `UNIMPLEMENTED` for what is not there: whoever may call nothing learns nothing.
    fn check(&self, path: &str, caller: &Caller) -> Result<(), Status> {
        if !caller.is_of(&self.namespace) {
            return Err(Status::permission_denied(format!(
                "{caller} is no controller of the platform"
            )));
        }
        let Some(names) = self.callers.get(path) else {
            return Err(Status::unimplemented(format!("there is no method {path}")));
        };
        let allowed = *names == ANYONE || names.iter().any(|name| caller.is(&self.namespace, name));
        if allowed {
            Ok(())
        } else {
            Err(Status::permission_denied(format!("{caller} may not call {path}")))
        }
    }
}

/// The layer around all services.
#[derive(Clone)]
pub(crate) struct Gate {
    rules: Arc<Rules>,
}

impl Gate {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
        }
    }
}

impl<S> tower::Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            rules: self.rules.clone(),
        }
    }
}

/// The services behind the gate.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> tower::Service<http::Request<Body>> for Gated<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
        let path = request.uri().path().to_owned();
        let checked = self.rules.check(&path, &caller);
        // Names of methods become labels only where there is such a method: a peer must not make up metrics.
        let known = self.rules.callers.contains_key(&path);
        let span = tracing::info_span!("serve", rpc = path, %caller);
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&Headers(request.headers()))
        });
        let _ = span.set_parent(parent);
        let started = Instant::now();
        // The clone waits to become ready; what is ready is used up.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let answering = async move {
            let answer = match checked {
                Ok(()) => inner.call(request).await,
                Err(status) => {
                    tracing::warn!(%status, "refused");
                    Ok(status.into_http())
                }
            };
            if known {
                let code = answer.as_ref().map_or(Code::Unknown, code);
                handled("server", &path, code, started);
            }
            answer
        };
        Box::pin(answering.instrument(span))
    }
}

/// The code that an answer begins with: an error is known at once, a success until something goes wrong later.
fn code(answer: &http::Response<Body>) -> Code {
    let code = answer.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// Counts a call, under the names that other gRPC libraries use.
pub(crate) fn handled(side: &'static str, path: &str, code: Code, started: Instant) {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let (service, method) = (service.to_owned(), method.to_owned());
    let (counted, timed) = match side {
        "server" => ("grpc_server_handled_total", "grpc_server_handling_seconds"),
        _ => ("grpc_client_handled_total", "grpc_client_handling_seconds"),
    };
    counter!(counted, "grpc_service" => service.clone(), "grpc_method" => method.clone(), "grpc_code" => format!("{code:?}"))
        .increment(1);
    histogram!(timed, "grpc_service" => service, "grpc_method" => method)
        .record(started.elapsed().as_secs_f64());
}

/// Trace context in headers.
pub(crate) struct Headers<T>(pub(crate) T);

impl Extractor for Headers<&http::HeaderMap> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

impl Injector for Headers<&mut http::HeaderMap> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(key),
            http::HeaderValue::try_from(value),
        ) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLERS: Callers = &[("Plan", &["idp-webapp"]), ("Describe", ANYONE)];

    fn check(path: &str, uri: &str) -> Result<(), Code> {
        let mut rules = Rules::new("idp-system");
        rules.allow("x.Y", CALLERS);
        rules
            .check(path, &Caller::named(uri))
            .map_err(|status| status.code())
    }

    #[test]
    fn each_method_says_who_may_call_it() {
        let webapp = "spiffe://idp.dev/ns/idp-system/sa/idp-webapp";
        let other = "spiffe://idp.dev/ns/idp-system/sa/idp-claim-broker";
        assert_eq!(check("/x.Y/Plan", webapp), Ok(()));
        assert_eq!(check("/x.Y/Plan", other), Err(Code::PermissionDenied));
        assert_eq!(check("/x.Y/Describe", other), Ok(()));
        assert_eq!(check("/x.Y/Delete", webapp), Err(Code::Unimplemented));
    }

    #[test]
    fn strangers_learn_nothing() {
        for uri in [
            "",
            "spiffe://idp.dev/ns/shop/sa/idp-webapp",
            "spiffe://elsewhere/ns/idp-system/sa/idp-webapp",
            "spiffe://idp.dev/ns/idp-system-2/sa/idp-webapp",
        ] {
            assert_eq!(check("/x.Y/Plan", uri), Err(Code::PermissionDenied), "{uri}");
            assert_eq!(check("/x.Y/Nothing", uri), Err(Code::PermissionDenied), "{uri}");
        }
    }
}
