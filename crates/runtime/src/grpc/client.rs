//! A peer that we call: one connection that reconnects automatically, with deadlines, retries, traces and metrics.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Code, Status, TimeoutExpired, body::Body, transport::Endpoint};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    body::{Breaking, broken},
    calls::{CallMetrics, Headers, code},
    deadline,
    tls::Credentials,
};

/// Longest that a call may take, all its attempts together.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest that a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Interval and timeout of keep-alive pings on an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Attempts at a call that did not reach the peer, and the delay before the second; it doubles.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// Another controller that we call.
#[derive(Clone)]
pub struct Peer {
    name: Arc<str>,
    channel: Channel,
    unreachable_since: Arc<Mutex<Option<Timestamp>>>,
}

impl Peer {
    /// The peer at `address` (`host:port`), whose certificate must be for `server_name`. Connects when first called.
    ///
    /// # Errors
    /// When the address or the server name is invalid.
    pub fn new(
        name: &str,
        address: &str,
        server_name: &str,
        credentials: &Credentials,
    ) -> Result<Self, PeerError> {
        let invalid = |what: &'static str, text: &str| PeerError {
            what,
            text: text.to_owned(),
        };
        let expected =
            ServerName::try_from(server_name.to_owned()).map_err(|_| invalid("server name", server_name))?;
        // `http`, because the connector does TLS.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| invalid("address", address))?
            .origin(
                format!("https://{server_name}")
                    .parse()
                    .map_err(|_| invalid("server name", server_name))?,
            )
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let (address, credentials) = (address.to_owned(), credentials.clone());
        let connector = tower::service_fn(move |_: Uri| {
            let (address, expected, credentials) = (address.clone(), expected.clone(), credentials.clone());
            async move { connect(&address, expected, &credentials).await.map(TokioIo::new) }
        });
        Ok(Self {
            name: name.into(),
            channel: Channel {
                inner: endpoint.connect_with_connector_lazy(connector),
                deadline: None,
            },
            unreachable_since: Arc::default(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Since when it does not respond; `None` while it does.
    pub fn unreachable_since(&self) -> Option<Timestamp> {
        *self
            .unreachable_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method, and retries if the call did not reach the peer, within one deadline for all attempts. Only for
    /// idempotent methods.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn call<T, F>(&self, method: impl Fn(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + DEADLINE;
        let attempts = async {
            let mut attempt = 1;
            loop {
                match method(self.channel.until(deadline)).await {
                    Err(status) if status.code() == Code::Unavailable && attempt < ATTEMPTS => {
                        tracing::debug!(peer = %self.name, %status, attempt, "Call failed; retrying.");
                        tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
                        attempt += 1;
                    }
                    response => return response,
                }
            }
        };
        let response = tokio::time::timeout_at(deadline, attempts)
            .await
            .unwrap_or_else(|_| Err(late()));
        self.note(response.as_ref().err());
        response
    }

    /// Calls a method whose response is a stream.
    ///
    /// # Errors
    /// When the response does not begin within the deadline.
    pub async fn open<T, F>(&self, method: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let response = tokio::time::timeout(DEADLINE, method(self.channel.clone()))
            .await
            .unwrap_or_else(|_| Err(late()));
        self.note(response.as_ref().err());
        response
    }

    fn note(&self, error: Option<&Status>) {
        let mut unreachable = self
            .unreachable_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match error.map(Status::code) {
            Some(Code::Unavailable | Code::DeadlineExceeded | Code::Unknown) => {
                if unreachable.is_none() {
                    *unreachable = Some(Timestamp::now());
                    tracing::warn!(peer = %self.name, "Peer unreachable.");
                }
            }
            // An error is a response, too.
            _ => {
                if unreachable.take().is_some() {
                    tracing::info!(peer = %self.name, "Peer responds again.");
                }
            }
        }
    }
}

/// Why a peer cannot be called.
#[derive(Debug, thiserror::Error)]
#[error("invalid {what} of a peer: {text:?}")]
pub struct PeerError {
    what: &'static str,
    text: String,
}

async fn connect(
    address: &str,
    expected: ServerName<'static>,
    credentials: &Credentials,
) -> io::Result<TlsStream<TcpStream>> {
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        // Each connection uses the newest certificates.
        TlsConnector::from(credentials.client())
            .connect(expected, stream)
            .await
    };
    tokio::time::timeout(CONNECT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

fn late() -> Status {
    Status::deadline_exceeded(format!("no response within {} s", DEADLINE.as_secs()))
}

/// The transport of generated clients: adds trace and deadline to each call, and counts it. Any failure of the connection
/// is `UNAVAILABLE`.
#[derive(Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    deadline: Option<Instant>,
}

impl Channel {
    fn until(&self, deadline: Instant) -> Self {
        Self {
            inner: self.inner.clone(),
            deadline: Some(deadline),
        }
    }
}

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(context).map_err(|error| broken(&error))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let trace = tracing::Span::current().context();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&trace, &mut Headers(request.headers_mut()));
        });
        let deadline = self.deadline;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Some(header) = left.and_then(deadline::header) {
            request.headers_mut().insert(deadline::TIMEOUT, header);
        }
        let counted = CallMetrics::new("client", request.uri().path().to_owned());
        let responding = self.inner.call(request);
        Box::pin(async move {
            let response = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, responding).await,
                None => Ok(responding.await),
            };
            let response = match response {
                Ok(Ok(response)) => Ok(response.map(|body| Body::new(Breaking(body)))),
                // tonic enforces the deadline of the header, and may be a little faster.
                Ok(Err(error)) if error.source().is_some_and(|source| source.is::<TimeoutExpired>()) => {
                    Err(late())
                }
                Ok(Err(error)) => Err(broken(&error)),
                Err(_) => Err(late()),
            };
            counted.end(response.as_ref().map_or_else(Status::code, code));
            response
        })
    }
}
