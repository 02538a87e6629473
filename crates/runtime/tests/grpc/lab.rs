//! A server and its peers, each with certificates of its own.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use idp_core::capability::{SectionPlan, SectionRequest};
use idp_rpc::{capability, proto::capability::capability_server::CapabilityServer};
use idp_runtime::{
    Peer,
    grpc::{Credentials, GrpcArgs, Server, Service},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::Status;

use crate::{
    pki::{Authority, Leaf},
    stub::Stub,
};

/// Name of the server.
pub(crate) const SERVER: &str = "idp-secrets-bridge";
/// The controller that may plan.
pub(crate) const WEBAPP: &str = "idp-webapp";
/// One that may not.
pub(crate) const OTHER: &str = "idp-claim-broker";

pub(crate) struct Lab {
    folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) stub: Stub,
}

/// A server within the runtime of the test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) drain: watch::Sender<bool>,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

/// A server that dies as a process does: with all its connections.
pub(crate) struct Mortal {
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    _drain: watch::Sender<bool>,
}

impl Mortal {
    pub(crate) fn kill(self) {
        // On a thread of its own, as it waits: when this is over the port is free.
        let killing = std::thread::spawn(|| self.runtime.shutdown_timeout(Duration::from_secs(1)));
        killing.join().unwrap();
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self {
            folder: TempDir::new().unwrap(),
            authority: Authority::new("one"),
            stub: Stub::new(),
        };
        Leaf::of(SERVER).write(&lab.authority, &[&lab.authority], &lab.path("server"));
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Binds a server. Its connections last a long time.
    pub(crate) fn bind(&self, address: SocketAddr) -> impl Future<Output = Server> + Send + use<> {
        let service = Service::new(
            CapabilityServer::new(self.stub.clone()),
            capability::CALLERS,
            idp_rpc::DESCRIPTORS,
        );
        let args = GrpcArgs {
            grpc_address: address,
            tls_dir: self.path("server"),
        };
        async move { Server::bind(&args, "idp-system", vec![service]).await.unwrap() }
    }

    pub(crate) async fn serve(&self) -> Running {
        let server = self.bind(anywhere()).await;
        let address = server.address();
        let (drain, drained) = watch::channel(false);
        let task = tokio::spawn(server.run(drained));
        Running { address, drain, task }
    }

    pub(crate) async fn serve_mortal(&self, address: SocketAddr) -> Mortal {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (drain, drained) = watch::channel(false);
        // Bound within its own runtime, so that the listener dies with it.
        let server = runtime.spawn(self.bind(address)).await.unwrap();
        let address = server.address();
        runtime.spawn(server.run(drained));
        Mortal {
            address,
            runtime,
            _drain: drain,
        }
    }

    /// Credentials of a controller of the platform.
    pub(crate) fn credentials(&self, name: &str) -> Credentials {
        self.signed(&Leaf::of(name), &self.authority)
    }

    /// Credentials with this certificate, signed by somebody; they trust the lab's own authority.
    pub(crate) fn signed(&self, leaf: &Leaf, signer: &Authority) -> Credentials {
        let folder = TempDir::new_in(self.folder.path()).unwrap().keep();
        leaf.write(signer, &[&self.authority], &folder);
        Credentials::load(&folder).unwrap()
    }

    pub(crate) fn peer(&self, address: SocketAddr, name: &str) -> Peer {
        peer(address, &self.credentials(name))
    }

    /// A handshake without gRPC: what the server says to a certificate, or to none.
    pub(crate) async fn handshake(
        &self,
        address: SocketAddr,
        certificate: Option<(String, String)>,
    ) -> Result<TlsStream<TcpStream>, String> {
        handshake(address, &[&self.authority], certificate).await
    }
}

pub(crate) fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub(crate) fn peer(address: SocketAddr, credentials: &Credentials) -> Peer {
    Peer::new("secrets", &address.to_string(), SERVER, credentials).unwrap()
}

/// Shakes hands, and waits for the server's first bytes: in TLS 1.3 a client learns only then that it is refused.
pub(crate) async fn handshake(
    address: SocketAddr,
    trusted: &[&Authority],
    certificate: Option<(String, String)>,
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        let der = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
        roots.add(der).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some((chain, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let shaking = async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(SERVER).unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        match stream.read_u8().await {
            Ok(_) => Ok(stream),
            Err(error) => Err(error),
        }
    };
    timeout(Duration::from_secs(5), shaking)
        .await
        .expect("the server says something in time")
        .map_err(|error: std::io::Error| error.to_string())
}

pub(crate) fn request(application: &str) -> SectionRequest {
    SectionRequest {
        namespace: "shop".into(),
        application: application.into(),
        environment: "local".into(),
        environment_spec: json!({}),
        section: json!([]),
        path: "spec.secrets".into(),
    }
}

pub(crate) async fn plan(peer: &Peer, application: &str) -> Result<SectionPlan, Status> {
    let request = request(application);
    let plan = peer.call(|channel| capability::plan(channel, &request)).await?;
    assert_eq!(plan.outputs["application"], application);
    Ok(plan)
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(15), waiting).await.expect(what);
}
