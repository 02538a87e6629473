//! The gRPC server: accepts connections of peers with a certificate, and the calls that the rules allow.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::mpsc};
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};

use super::{
    authorization::{ANYONE, Callers, Rules},
    body::{Drain, drained},
    calls::CallLayer,
    handshake::{Incoming, accept},
    tls::Credentials,
};

/// Connections that wait until tonic accepts them.
const BACKLOG: usize = 64;
/// Age at which a connection is closed, so that the peer authenticates again.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);
/// How long calls may continue after that.
const CONNECTION_GRACE: Duration = Duration::from_secs(60);

/// A service that the server can serve: any that `tonic` generates.
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

/// A service of a server that does not run yet.
pub struct Service {
    name: &'static str,
    callers: Callers,
    descriptors: &'static [u8],
    add: Box<dyn FnOnce(&mut RoutesBuilder) + Send>,
}

impl Service {
    /// A service, the callers of its methods, and its encoded `FileDescriptorSet`.
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

/// A server that listens. [`Process`](crate::Process) has one; used directly by programs without controllers, and tests.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    credentials: Credentials,
    routes: Routes,
    rules: Rules,
    connection_age: Duration,
}

impl Server {
    /// Binds the address and reads the certificates. Callers must be controllers of `namespace`.
    ///
    /// # Errors
    /// When the address is in use, or the certificates are invalid.
    pub async fn bind(
        args: &super::GrpcArgs,
        namespace: &str,
        services: Vec<Service>,
    ) -> anyhow::Result<Self> {
        let credentials = Credentials::load(&args.tls_dir)
            .context("cannot load the certificates in --tls-dir (IDP_TLS_DIR)")?;
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
        routes.add_service(
            reflection
                .build_v1()
                .context("invalid descriptors of the services")?,
        );
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            credentials,
            routes: routes.routes(),
            rules,
            connection_age: MAX_CONNECTION_AGE,
        })
    }

    /// The age at which a connection is closed, instead of half an hour: the peer then reconnects with its current certificate.
    #[must_use]
    pub fn connection_age(mut self, age: Duration) -> Self {
        self.connection_age = age;
        self
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `drain` is true. Then it accepts no more connections, ends streams, and returns after the last call.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run(self, drain: Drain) -> anyhow::Result<()> {
        let (accepted, connections) = mpsc::channel(BACKLOG);
        let accepting = accept(self.listener, self.credentials.clone(), accepted);
        let until = drained(drain.clone());
        let accepting = async {
            // Closes the port: new connections are refused at once, and go to the successor.
            tokio::select! {
                () = accepting => {}
                () = until => {}
            }
            std::future::pending::<()>().await;
        };
        let serving = tonic::transport::Server::builder()
            .max_connection_age(self.connection_age)
            .max_connection_age_grace(CONNECTION_GRACE)
            .layer(CallLayer::new(self.rules, drain.clone()))
            .add_routes(self.routes)
            .serve_with_incoming_shutdown(Incoming(connections), drained(drain));
        tokio::select! {
            served = serving => served.context("the gRPC server failed"),
            () = accepting => anyhow::bail!("the listener stopped"),
            () = self.credentials.keep_current() => anyhow::bail!("the certificate reload stopped"),
        }
    }
}
