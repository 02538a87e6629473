//! What happens around every call that the server gets: authorization, trace, metrics.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::FutureExt;
use metrics::{counter, histogram};
use opentelemetry::propagation::{Extractor, Injector};
use tonic::{Code, Status, body::Body};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    authorization::Rules,
    body::{Drain, Ending},
    deadline,
    peer::Caller,
};

/// Longest that a call may take to begin its answer. Callers set shorter deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(30);

/// The layer around all services.
#[derive(Clone)]
pub(crate) struct Gate {
    rules: Arc<Rules>,
    drain: Drain,
}

impl Gate {
    pub(crate) fn new(rules: Rules, drain: Drain) -> Self {
        Self {
            rules: Arc::new(rules),
            drain,
        }
    }
}

impl<S> tower::Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            gate: self.clone(),
        }
    }
}

/// The services behind the gate.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    gate: Gate,
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
        let checked = self.gate.rules.check(&path, &caller);
        // Names of methods become labels only where there is such a method: a peer must not make up metrics.
        let known = self.gate.rules.knows(&path);
        let span = tracing::info_span!("serve", rpc = path, %caller);
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&Headers(request.headers()))
        });
        let _ = span.set_parent(parent);
        let counted = known.then(|| Handled::new("server", path));
        // tonic has time-outs too, but calls them CANCELLED, which says that the caller went away.
        let deadline = deadline::of(request.headers()).map_or(DEADLINE, |asked| asked.min(DEADLINE));
        // The clone waits to become ready; what is ready is used up.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let drain = self.gate.drain.clone();
        let answering = async move {
            let answer = match checked {
                Ok(()) => {
                    // A method that panics has answered, badly: without this the connection would seem to be at fault.
                    let calling = AssertUnwindSafe(async { inner.call(request).await }).catch_unwind();
                    match tokio::time::timeout(deadline, calling).await {
                        Ok(Ok(answer)) => {
                            answer.map(|answer| answer.map(|body| Body::new(Ending::new(body, drain))))
                        }
                        Ok(Err(_)) => Ok(Status::internal("the method panicked").into_http()),
                        Err(_) => Ok(Status::deadline_exceeded("no answer in time").into_http()),
                    }
                }
                Err(status) => {
                    tracing::warn!(%status, "refused");
                    Ok(status.into_http())
                }
            };
            if let Some(counted) = counted {
                counted.end(answer.as_ref().map_or(Code::Unknown, code));
            }
            answer
        };
        Box::pin(answering.instrument(span))
    }
}

/// The code that an answer begins with: an error is known at once, a success until something goes wrong later.
pub(crate) fn code(answer: &http::Response<Body>) -> Code {
    let code = answer.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// Counts a call when it ends, under the names that other gRPC libraries use. One that is given up counts as well:
/// those that hang are the ones that somebody will look for.
pub(crate) struct Handled {
    side: &'static str,
    path: String,
    started: Instant,
    code: Code,
}

impl Handled {
    pub(crate) fn new(side: &'static str, path: String) -> Self {
        Self {
            side,
            path,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    pub(crate) fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        let path = self.path.trim_start_matches('/');
        let (service, method) = path.split_once('/').unwrap_or((path, ""));
        let (service, method) = (service.to_owned(), method.to_owned());
        let (counted, timed) = match self.side {
            "server" => ("grpc_server_handled_total", "grpc_server_handling_seconds"),
            _ => ("grpc_client_handled_total", "grpc_client_handling_seconds"),
        };
        let code = format!("{:?}", self.code);
        counter!(counted, "grpc_service" => service.clone(), "grpc_method" => method.clone(), "grpc_code" => code)
            .increment(1);
        histogram!(timed, "grpc_service" => service, "grpc_method" => method)
            .record(self.started.elapsed().as_secs_f64());
    }
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
