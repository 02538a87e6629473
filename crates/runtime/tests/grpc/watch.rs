//! Streams.

use std::time::Duration;

use futures::{Stream, StreamExt};
use idp_rpc::capability;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::lab::{Lab, WEBAPP, anywhere, eventually};

async fn next<S: Stream<Item = Result<Vec<String>, Status>> + Unpin>(
    stream: &mut S,
) -> Option<Result<Vec<String>, Status>> {
    timeout(Duration::from_secs(5), stream.next())
        .await
        .expect("something happens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_delivers_ends_with_its_server_and_is_opened_again() {
    let lab = Lab::new();
    let server = lab.serve_mortal(anywhere()).await;
    let (address, peer) = (server.address, lab.peer(server.address, WEBAPP));
    let mut stream = Box::pin(peer.open(capability::watch).await.unwrap());
    let mut other = Box::pin(peer.open(capability::watch).await.unwrap());
    assert_eq!(lab.stub.stale(&["shop", "bank"]), 2);
    assert_eq!(lab.stub.stale(&[]), 2);
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), ["shop", "bank"]);
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), [""; 0]);
    assert_eq!(next(&mut other).await.unwrap().unwrap(), ["shop", "bank"]);

    server.kill();
    let end = next(&mut stream).await.expect("it says why").unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(peer.open(capability::watch).await.is_err());
    assert!(peer.unreachable_since().is_some());

    let server = lab.serve_mortal(address).await;
    let mut stream = Box::pin(peer.open(capability::watch).await.unwrap());
    assert_eq!(peer.unreachable_since(), None);
    assert_eq!(lab.stub.stale(&["again"]), 1);
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), ["again"]);
    server.kill();
}

#[tokio::test]
async fn a_stream_that_nobody_reads_any_more_ends() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    let stream = peer.open(capability::watch).await.unwrap();
    assert_eq!(lab.stub.stale(&["shop"]), 1);
    drop(stream);
    eventually("the capability learns of it", async || lab.stub.stale(&[]) == 0).await;
}

#[tokio::test]
async fn a_stream_outlasts_the_deadline_of_calls() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    let mut stream = Box::pin(peer.open(capability::watch).await.unwrap());
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert_eq!(lab.stub.stale(&["late"]), 1);
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), ["late"]);
}
