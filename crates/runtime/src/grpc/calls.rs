//! The layer around every call of the server: authorization, traces, metrics.

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

/// Maximum time until a response begins. Callers set shorter deadlines.
const DEADLINE: Duration = Duration::from_secs(30);

/// The layer around all services.
#[derive(Clone)]
pub(crate) struct CallLayer {
    rules: Arc<Rules>,
    drain: Drain,
}

impl CallLayer {
    pub(crate) fn new(rules: Rules, drain: Drain) -> Self {
        Self {
            rules: Arc::new(rules),
            drain,
        }
    }
}

impl<S> tower::Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The services behind the layer.
#[derive(Clone)]
pub(crate) struct CallService<S> {
    inner: S,
    layer: CallLayer,
}

impl<S> tower::Service<http::Request<Body>> for CallService<S>
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
        let checked = self.layer.rules.check(&path, &caller);
        // Only methods that exist become labels: a peer must not create metrics.
        let known = self.layer.rules.knows(&path);
        let span = tracing::info_span!("serve", rpc = path, %caller);
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&Headers(request.headers()))
        });
        let _ = span.set_parent(parent);
        let counted = known.then(|| CallMetrics::new("server", path));
        // tonic has timeouts too, but reports them as CANCELLED, which means that the caller gave up.
        let deadline = deadline::of(request.headers()).map_or(DEADLINE, |requested| requested.min(DEADLINE));
        // The ready service is used for this call; its clone becomes ready for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let drain = self.layer.drain.clone();
        let responding = async move {
            let response = match checked {
                Ok(()) => {
                    // Without this, a method that panics would look like a broken connection.
                    let calling = AssertUnwindSafe(async { inner.call(request).await }).catch_unwind();
                    match tokio::time::timeout(deadline, calling).await {
                        Ok(Ok(response)) => {
                            response.map(|response| response.map(|body| Body::new(Ending::new(body, drain))))
                        }
                        Ok(Err(_)) => Ok(Status::internal("the method panicked").into_http()),
                        Err(_) => {
                            Ok(Status::deadline_exceeded("no response within the deadline").into_http())
                        }
                    }
                }
                Err(status) => {
                    tracing::warn!(%status, "Call rejected.");
                    Ok(status.into_http())
                }
            };
            if let Some(counted) = counted {
                counted.end(response.as_ref().map_or(Code::Unknown, code));
            }
            response
        };
        Box::pin(responding.instrument(span))
    }
}

/// The code at the start of a response: an error is final, a success may still fail later.
pub(crate) fn code(response: &http::Response<Body>) -> Code {
    let code = response.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// Counts a call when it ends, with the metric names of other gRPC libraries. A call that is abandoned counts as well.
pub(crate) struct CallMetrics {
    side: &'static str,
    path: String,
    started: Instant,
    code: Code,
}

impl CallMetrics {
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

impl Drop for CallMetrics {
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
