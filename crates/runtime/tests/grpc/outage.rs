//! Servers that die, hang, refuse and drain.

use std::time::{Duration, Instant};

use futures::{StreamExt, future::join_all};
use idp_rpc::capability;
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;

use crate::lab::{Lab, WEBAPP, anywhere, eventually, plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_heals_by_itself() {
    let lab = Lab::new();
    let server = lab.serve_mortal(anywhere()).await;
    let (address, peer) = (server.address, lab.peer(server.address, WEBAPP));
    plan(&peer, "shop").await.unwrap();
    assert_eq!(peer.unreachable_since(), None);

    server.kill();
    // Said by the peer itself, before the deadline.
    assert_eq!(plan(&peer, "shop").await.unwrap_err().code(), Code::Unavailable);
    let since = peer.unreachable_since().expect("it is silent");
    plan(&peer, "shop").await.unwrap_err();
    assert_eq!(peer.unreachable_since(), Some(since), "since the first failure");

    let server = lab.serve_mortal(address).await;
    plan(&peer, "shop").await.unwrap();
    assert_eq!(peer.unreachable_since(), None);
    server.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_under_way_survive_a_restart() {
    let lab = Lab::new();
    let server = lab.serve_mortal(anywhere()).await;
    let (address, peer) = (server.address, lab.peer(server.address, WEBAPP));
    let calls = (0..20).map(|_| {
        let peer = peer.clone();
        tokio::spawn(async move { plan(&peer, "slow").await })
    });
    let calls: Vec<_> = calls.collect();
    eventually("all calls are under way", async || lab.stub.plans() == 20).await;
    server.kill();
    let server = lab.serve_mortal(address).await;
    (0..20).for_each(|_| lab.stub.release());
    for answer in join_all(calls).await {
        answer.unwrap().unwrap();
    }
    assert_eq!(peer.unreachable_since(), None);
    server.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_hangs_ends_and_blocks_nobody() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    plan(&peer, "shop").await.unwrap();
    let started = Instant::now();
    let hanging = {
        let peer = peer.clone();
        tokio::spawn(async move { plan(&peer, "hang").await })
    };
    eventually("the call hangs", async || lab.stub.plans() == 2).await;
    for answer in join_all((0..50).map(|_| plan(&peer, "shop"))).await {
        answer.unwrap();
    }
    assert!(!hanging.is_finished(), "others went by");
    let hung = hanging.await.unwrap().unwrap_err();
    assert_eq!(hung.code(), Code::DeadlineExceeded);
    assert!(peer.unreachable_since().is_some());
    let took = started.elapsed();
    assert!(took > Duration::from_millis(4_900), "{took:?}");
    assert_eq!(lab.stub.plans(), 52, "it was not repeated");
    // The server stops working for nobody.
    eventually("the server gave up", async || lab.stub.given_up() == 1).await;
    plan(&peer, "shop").await.unwrap();
    assert_eq!(peer.unreachable_since(), None);
}

#[tokio::test]
async fn retries_are_bounded() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    let refused = plan(&peer, "unavailable").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(lab.stub.plans(), 4);
}

#[tokio::test]
async fn only_what_is_unavailable_is_tried_again() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    for (attempts, (name, code)) in [
        ("internal", Code::Internal),
        ("aborted", Code::Aborted),
        // A method that panics has failed, and not the connection.
        ("panic", Code::Internal),
        ("", Code::InvalidArgument),
    ]
    .into_iter()
    .enumerate()
    {
        let failed = plan(&peer, name).await.unwrap_err();
        assert_eq!(failed.code(), code, "{name}");
        assert_eq!(lab.stub.plans() as usize, attempts + 1, "{name}");
        assert_eq!(
            peer.unreachable_since(),
            None,
            "{name}: also an error is an answer"
        );
    }
    plan(&peer, "shop").await.unwrap();
}

#[tokio::test]
async fn drained_servers_answer_what_is_under_way() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    // A stream that waits for news must not hold up the end.
    let watching = peer.open(capability::watch).await.unwrap();
    let slow = {
        let peer = peer.clone();
        tokio::spawn(async move { plan(&peer, "slow").await })
    };
    eventually("the call is under way", async || lab.stub.plans() == 1).await;
    server.drain.send(true).unwrap();
    eventually("nobody is let in any more", async || {
        TcpStream::connect(server.address).await.is_err()
    })
    .await;
    let ended = timeout(Duration::from_secs(2), std::pin::pin!(watching).next()).await;
    let ended = ended.expect("the stream ends").expect("it says why");
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    assert!(!server.task.is_finished(), "a call is under way");
    lab.stub.release();
    slow.await.unwrap().unwrap();
    let ended = timeout(Duration::from_secs(2), server.task).await;
    ended.expect("it ends after the last call").unwrap().unwrap();
}
