//! The gRPC server: accepts connections of peers with a certificate, and calls that the table allows.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use futures::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
    transport::server::Connected,
};

use super::{
    calls::{Gate, Rules},
    peer::Caller,
    tls::Credentials,
};

/// How long a peer may take to show its certificate.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes under way at a time: a flood of them must not take all memory.
const HANDSHAKES: usize = 64;
/// Longest that a call may take to begin its answer. Callers set shorter deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection lasts: then the peer shows its certificate anew.
const CONNECTION: Duration = Duration::from_secs(30 * 60);
/// How long calls may go on after that.
const CONNECTION_GRACE: Duration = Duration::from_secs(60);

/// Who may call which method of a service: method, and names of controllers. What is not listed, nobody may call.
pub type Callers = &'static [(&'static str, &'static [&'static str])];

/// In [`Callers`]: every controller of the platform.
pub const ANYONE: &[&str] = &["*"];

/// What the server can serve: every service that `tonic` generates.
pub trait Servable:
    tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Servable for S where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// One service of a server that does not run yet.
pub struct Service {
    name: &'static str,
    callers: Callers,
    descriptors: &'static [u8],
    add: Box<dyn FnOnce(&mut RoutesBuilder) + Send>,
}

impl Service {
    /// A service, who may call which of its methods, and its encoded `FileDescriptorSet`.
    pub fn new<S: Servable>(service: S, callers: Callers, descriptors: &'static [u8]) -> Self
    where
        S::Future: Send,
    {
        Self {
            name: S::NAME,
            callers,
            descriptors,
            add: Box::new(move |routes| {
                routes.add_service(service);
            }),
        }
    }
}

/// A server that listens. [`Process`](crate::Process) has one; alone it is for programs without controllers, and tests.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    credentials: Credentials,
    routes: Routes,
    gate: Gate,
}

impl Server {
    /// Binds the address and reads the certificates. Callers must be controllers of `namespace`.
    ///
    /// # Errors
    /// When the address is taken, or the certificates cannot be used.
    pub async fn bind(
        args: &super::GrpcArgs,
        namespace: &str,
        services: Vec<Service>,
    ) -> anyhow::Result<Self> {
        let credentials = Credentials::load(&args.tls_dir)
            .context("--tls-dir (IDP_TLS_DIR) names the folder of the certificates")?;
        let listener = TcpListener::bind(args.grpc_address)
            .await
            .with_context(|| format!("cannot listen on {}", args.grpc_address))?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let mut rules = Rules::new(namespace);
        let mut routes = RoutesBuilder::default();
        let mut reflection = tonic_reflection::server::Builder::configure();
        for service in services {
            rules.allow(service.name, service.callers);
            reflection = reflection.register_encoded_file_descriptor_set(service.descriptors);
            health
                .set_service_status(service.name, tonic_health::ServingStatus::Serving)
                .await;
            (service.add)(&mut routes);
        }
        rules.allow("grpc.health.v1.Health", &[("Check", ANYONE), ("Watch", ANYONE)]);
        rules.allow(
            "grpc.reflection.v1.ServerReflection",
            &[("ServerReflectionInfo", ANYONE)],
        );
        routes.add_service(health_service);
        routes.add_service(reflection.build_v1().context("the contracts' descriptors")?);
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            credentials,
            routes: routes.routes(),
            gate: Gate::new(rules),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `drain` says so; then ends when the last call has.
    ///
    /// # Errors
    /// When it cannot go on.
    pub async fn run(self, mut drain: watch::Receiver<bool>) -> anyhow::Result<()> {
        let (accepted, connections) = mpsc::channel(HANDSHAKES);
        let accepting = accept(self.listener, self.credentials.clone(), accepted);
        let serving = tonic::transport::Server::builder()
            .timeout(DEADLINE)
            .max_connection_age(CONNECTION)
            .max_connection_age_grace(CONNECTION_GRACE)
            .layer(self.gate)
            .add_routes(self.routes)
            .serve_with_incoming_shutdown(Incoming(connections), async move {
                // An error says that the process is ending without saying so.
                let _ = drain.wait_for(|drain| *drain).await;
            });
        tokio::select! {
            served = serving => served.context("the gRPC server failed"),
            () = accepting => anyhow::bail!("no more connections are accepted"),
            () = self.credentials.keep_current() => anyhow::bail!("certificates are not looked at any more"),
        }
    }
}

/// Shakes hands with whoever comes, each beside the others: one slow peer holds up nobody.
async fn accept(listener: TcpListener, credentials: Credentials, accepted: mpsc::Sender<Connection>) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: to try again at once would only spin.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, accepted) = (TlsAcceptor::from(credentials.server()), accepted.clone());
        tokio::spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let caller = Caller::of(certificates.and_then(<[_]>::first));
                    // The receiver goes when the server ends.
                    let _ = accepted.send(Connection { stream, caller }).await;
                }
                Ok(Err(error)) => {
                    metrics::counter!("idp_grpc_refused_connections_total").increment(1);
                    tracing::info!(%error, "a peer was refused");
                }
                Err(_) => tracing::info!("a peer did not show a certificate in time"),
            }
        });
    }
}

struct Incoming(mpsc::Receiver<Connection>);

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

/// A connection of a peer whose certificate was verified.
struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
