//! The gRPC server: accepts connections of peers with a certificate, and calls that the table allows.

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
    calls::Gate,
    handshake::{Incoming, accept},
    tls::Credentials,
};

/// Connections that wait for tonic to take them.
const WAITING: usize = 64;
/// How long a connection lasts: then the peer shows its certificate anew.
const CONNECTION: Duration = Duration::from_secs(30 * 60);
/// How long calls may go on after that.
const CONNECTION_GRACE: Duration = Duration::from_secs(60);

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
    rules: Rules,
    connection_age: Duration,
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
            rules,
            connection_age: CONNECTION,
        })
    }

    /// How long a connection lasts, instead of half an hour: then the peer connects anew, with the certificates of then.
    #[must_use]
    pub fn connection_age(mut self, age: Duration) -> Self {
        self.connection_age = age;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `drain` says so: then nobody is let in any more, streams end, and so does this when the last call
    /// has.
    ///
    /// # Errors
    /// When it cannot go on.
    pub async fn run(self, drain: Drain) -> anyhow::Result<()> {
        let (accepted, connections) = mpsc::channel(WAITING);
        let accepting = accept(self.listener, self.credentials.clone(), accepted);
        let until = drained(drain.clone());
        let accepting = async {
            // Gives back the port: who comes now is refused at once, and goes to the successor.
            tokio::select! {
                () = accepting => {}
                () = until => {}
            }
            std::future::pending::<()>().await;
        };
        let serving = tonic::transport::Server::builder()
            .max_connection_age(self.connection_age)
            .max_connection_age_grace(CONNECTION_GRACE)
            .layer(Gate::new(self.rules, drain.clone()))
            .add_routes(self.routes)
            .serve_with_incoming_shutdown(Incoming(connections), drained(drain));
        tokio::select! {
            served = serving => served.context("the gRPC server failed"),
            () = accepting => anyhow::bail!("no more connections are accepted"),
            () = self.credentials.keep_current() => anyhow::bail!("certificates are not looked at any more"),
        }
    }
}
