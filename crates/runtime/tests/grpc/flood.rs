//! Peers that connect and then say nothing.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::lab::{Lab, WEBAPP, plan};

/// A handshake that stops after its first bytes: half of the header of a ClientHello.
async fn half_open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(&[22, 3, 1]).await;
    stream
}

/// A call on a connection of its own gets through at the first attempt: the next comes two seconds later.
async fn gets_through(lab: &Lab, address: SocketAddr) {
    let started = Instant::now();
    plan(&lab.peer(address, WEBAPP), "shop").await.unwrap();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_silent_peers_lock_out_nobody() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(half_open(server.address).await);
    }
    gets_through(&lab, server.address).await;
    // And those that come while all places are taken: each call finds more silent peers than there are places.
    for _ in 0..5 {
        for _ in 0..100 {
            silent.push(half_open(server.address).await);
        }
        silent.drain(..silent.len() - 300);
        gets_through(&lab, server.address).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_that_goes_on_locks_out_nobody() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let address = server.address;
    let flood = tokio::spawn(async move {
        let mut silent = std::collections::VecDeque::new();
        loop {
            silent.push_back(half_open(address).await);
            if silent.len() > 280 {
                silent.pop_front();
            }
        }
    });
    for _ in 0..20 {
        gets_through(&lab, address).await;
    }
    assert!(!flood.is_finished());
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn established_connections_do_not_notice() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    plan(&peer, "shop").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(half_open(server.address).await);
        plan(&peer, "shop").await.unwrap();
    }
}
