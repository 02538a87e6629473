//! gRPC between controllers: mutual TLS with certificate reload, authorization for each method, deadlines, retries,
//! metrics and traces.

mod authorization;
mod body;
mod calls;
mod client;
mod deadline;
mod handshake;
mod peer;
mod server;
mod tls;

pub use authorization::{ANYONE, Callers};
pub use client::{Channel, Peer};
pub use peer::{Caller, TRUST_DOMAIN};
pub use server::{Servable, Server, Service};
pub use tls::{Credentials, TlsError};

use std::{net::SocketAddr, path::PathBuf};

/// The address of the gRPC server, and the certificates of server and clients.
#[derive(Clone, Debug, clap::Args)]
pub struct GrpcArgs {
    /// Address of the gRPC server
    #[arg(long, env = "IDP_GRPC_ADDRESS", default_value = "0.0.0.0:9443")]
    pub grpc_address: SocketAddr,
    /// Folder with tls.crt, tls.key and ca.crt, with which controllers authenticate each other; reloaded on change
    #[arg(long, env = "IDP_TLS_DIR", default_value = "/etc/idp/tls")]
    pub tls_dir: PathBuf,
}

impl Default for GrpcArgs {
    /// A free port on the loopback address: for controllers in a test.
    fn default() -> Self {
        Self {
            grpc_address: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
            tls_dir: "/etc/idp/tls".into(),
        }
    }
}
