//! gRPC between controllers: mutual TLS with certificates that are reloaded, a table of who may call what, deadlines,
//! retries, metrics and traces, once for all.

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

/// Where gRPC is served, and the certificates that it is spoken with.
#[derive(Clone, Debug, clap::Args)]
pub struct GrpcArgs {
    /// Address of the gRPC server
    #[arg(long, env = "IDP_GRPC_ADDRESS", default_value = "0.0.0.0:9443")]
    pub grpc_address: SocketAddr,
    /// Folder with tls.crt, tls.key and ca.crt, by which controllers know each other; reloaded when they change
    #[arg(long, env = "IDP_TLS_DIR", default_value = "/etc/idp/tls")]
    pub tls_dir: PathBuf,
}

impl Default for GrpcArgs {
    /// A free port of loopback: for controllers within a test.
    fn default() -> Self {
        Self {
            grpc_address: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
            tls_dir: "/etc/idp/tls".into(),
        }
    }
}
