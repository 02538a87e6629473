//! TLS handshakes of incoming connections.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use metrics::counter;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;

use super::{peer::Caller, tls::Credentials};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes under way at a time: a flood of them must exhaust neither memory nor file descriptors.
const MAX_HANDSHAKES: usize = 256;

/// Runs the handshakes of incoming connections concurrently, for as long as it is polled.
///
/// At the limit, the oldest handshake is aborted. If new connections waited instead, a few hundred peers that send nothing
/// could lock out everyone for the whole timeout, again and again; an honest peer is done within milliseconds and is never
/// the oldest.
pub(crate) async fn accept(
    listener: TcpListener,
    credentials: Credentials,
    accepted: mpsc::Sender<Connection>,
) {
    // Dropped with the server, and all its handshakes then.
    let mut handshakes = JoinSet::new();
    let mut by_age = VecDeque::<AbortHandle>::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Usually no more file descriptors: an immediate retry would only spin.
                tracing::warn!(%error, "Cannot accept a connection.");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while handshakes.try_join_next().is_some() {}
        if by_age.len() >= MAX_HANDSHAKES {
            by_age.retain(|handshake| !handshake.is_finished());
        }
        if by_age.len() >= MAX_HANDSHAKES
            && let Some(oldest) = by_age.pop_front()
        {
            oldest.abort();
            refused();
            tracing::info!("Too many handshakes; the oldest was aborted.");
        }
        let handshake = shake_hands(stream, credentials.clone(), accepted.clone());
        by_age.push_back(handshakes.spawn(handshake));
    }
}

async fn shake_hands(stream: TcpStream, credentials: Credentials, accepted: mpsc::Sender<Connection>) {
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(credentials.server());
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let caller = Caller::of(certificates.and_then(<[_]>::first));
            // The receiver is dropped when the server ends.
            let _ = accepted.send(Connection { stream, caller }).await;
        }
        Ok(Err(error)) => {
            refused();
            tracing::info!(%error, "Connection of a peer rejected.");
        }
        Err(_) => {
            refused();
            tracing::info!("A peer did not complete the handshake in time.");
        }
    }
}

fn refused() {
    counter!("idp_grpc_refused_connections_total").increment(1);
}

/// Connections for tonic.
pub(crate) struct Incoming(pub(crate) mpsc::Receiver<Connection>);

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

/// A connection of a peer whose certificate was verified.
pub(crate) struct Connection {
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
