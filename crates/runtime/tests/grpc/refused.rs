//! Whoever is refused, and why. Each test shows that the good case works beside it.

use std::time::Duration;

use idp_rpc::capability;
use idp_runtime::{Peer, grpc::Credentials};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Status};

use crate::{
    lab::{Lab, OTHER, Running, SERVER, WEBAPP, peer, plan},
    pki::{Authority, Leaf},
};

/// The reason why a certificate is refused; the good one is accepted.
async fn reason(lab: &Lab, server: &Running, certificate: Option<(String, String)>) -> String {
    let good = Leaf::of(WEBAPP).sign(&lab.authority);
    let accepted = lab.handshake(server.address, Some(good)).await;
    assert!(accepted.is_ok(), "the good one: {accepted:?}");
    let refused = lab.handshake(server.address, certificate).await;
    refused.map(drop).unwrap_err()
}

/// What a call says that is made with these credentials; with good ones it succeeds.
async fn refusal(lab: &Lab, server: &Running, credentials: &Credentials) -> Status {
    plan(&lab.peer(server.address, WEBAPP), "shop").await.unwrap();
    plan(&peer(server.address, credentials), "shop")
        .await
        .unwrap_err()
}

#[tokio::test]
async fn no_certificate() {
    let (lab, server) = served().await;
    let reason = reason(&lab, &server, None).await;
    assert!(reason.contains("CertificateRequired"), "{reason}");
}

#[tokio::test]
async fn certificate_of_another_authority() {
    let (lab, server) = served().await;
    // The same name even: only the key differs.
    let stranger = Authority::new("one");
    let reason = reason(&lab, &server, Some(Leaf::of(WEBAPP).sign(&stranger))).await;
    assert!(
        ["UnknownCA", "DecryptError", "BadCertificate"]
            .iter()
            .any(|alert| reason.contains(alert)),
        "{reason}"
    );
    let refused = refusal(&lab, &server, &lab.signed(&Leaf::of(WEBAPP), &stranger)).await;
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(lab.stub.plans(), 1, "only the good call came through");
}

#[tokio::test]
async fn server_of_another_authority() {
    let (lab, server) = served().await;
    let stranger = Authority::new("two");
    let folder = lab.path("trusts-others");
    Leaf::of(WEBAPP).write(&lab.authority, &[&stranger], &folder);
    let refused = refusal(&lab, &server, &Credentials::load(&folder).unwrap()).await;
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn server_of_another_name() {
    let (lab, server) = served().await;
    let credentials = lab.credentials(WEBAPP);
    plan(&peer(server.address, &credentials), "shop").await.unwrap();
    let address = server.address.to_string();
    let other = Peer::new("claims", &address, "idp-claim-broker", &credentials).unwrap();
    let refused = plan(&other, "shop").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn caller_of_another_name() {
    let (lab, server) = served().await;
    let webapp = "spiffe://idp.dev/ns/idp-system/sa/idp-webapp";
    for uris in [
        &[][..],
        &["spiffe://idp.dev/ns/shop/sa/idp-webapp"],
        &["spiffe://elsewhere/ns/idp-system/sa/idp-webapp"],
        &["spiffe://idp.dev/ns/idp-system/sa/"],
        &["https://idp.dev/ns/idp-system/sa/idp-webapp"],
        // A certificate has one identity.
        &[webapp, "spiffe://idp.dev/ns/shop/sa/shop"],
    ] {
        let credentials = lab.signed(&Leaf::of(WEBAPP).uris(uris), &lab.authority);
        let refused = refusal(&lab, &server, &credentials).await;
        assert_eq!(refused.code(), Code::PermissionDenied, "{uris:?}");
        assert!(
            refused.message().contains("not a controller of the platform"),
            "{refused}"
        );
        let stranger = peer(server.address, &credentials);
        let described = stranger.call(capability::describe).await.unwrap_err();
        assert_eq!(described.code(), Code::PermissionDenied, "{uris:?}");
        assert_eq!(stranger.unreachable_since(), None, "an error is a response");
    }
}

#[tokio::test]
async fn expired_certificate_of_the_caller() {
    let (lab, server) = served().await;
    let expired = Leaf::of(WEBAPP).expired();
    let reason = reason(&lab, &server, Some(expired.sign(&lab.authority))).await;
    assert!(reason.contains("CertificateExpired"), "{reason}");
    let refused = refusal(&lab, &server, &lab.signed(&expired, &lab.authority)).await;
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn expired_certificate_of_the_server() {
    let (lab, good) = served().await;
    plan(&lab.peer(good.address, WEBAPP), "shop").await.unwrap();
    let expired = Leaf::of(SERVER).expired();
    expired.write(&lab.authority, &[&lab.authority], &lab.path("server"));
    let bad = lab.serve().await;
    let refused = plan(&lab.peer(bad.address, WEBAPP), "shop").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("expired"), "{refused}");
}

#[tokio::test]
async fn forbidden_method() {
    let (lab, server) = served().await;
    let other = lab.peer(server.address, OTHER);
    let refused = plan(&other, "shop").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("may not call"), "{refused}");
    let watching = other.open(capability::watch).await.map(drop).unwrap_err();
    assert_eq!(watching.code(), Code::PermissionDenied);
    assert_eq!(lab.stub.plans(), 0);
    assert_eq!(other.call(capability::describe).await.unwrap().name, "stub");
    plan(&lab.peer(server.address, WEBAPP), "shop").await.unwrap();
}

#[tokio::test]
async fn unknown_method() {
    let (lab, server) = served().await;
    let called = |name: &'static str| unknown(lab.peer(server.address, name));
    assert_eq!(called(WEBAPP).await.code(), Code::Unimplemented);
    let nobody = lab.signed(&Leaf::of(WEBAPP).uris(&[]), &lab.authority);
    let refused = unknown(peer(server.address, &nobody)).await;
    assert_eq!(refused.code(), Code::PermissionDenied, "strangers learn nothing");
}

pub(crate) async fn unknown(peer: Peer) -> Status {
    let call = |channel| async {
        let mut client = tonic::client::Grpc::<idp_runtime::grpc::Channel>::new(channel);
        client.ready().await?;
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let path = http::uri::PathAndQuery::from_static("/idp.capability.v1.Capability/Delete");
        client.unary(tonic::Request::new(()), path, codec).await.map(drop)
    };
    peer.call(call).await.unwrap_err()
}

#[tokio::test]
async fn without_tls() {
    let (lab, server) = served().await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(2), plain.read_to_end(&mut said));
    // Closed, perhaps after a TLS alert; nothing of HTTP comes back.
    let _ = read.await.expect("the connection is closed");
    assert!(said.is_empty() || said[0] == 21, "{said:?}");
    plan(&lab.peer(server.address, WEBAPP), "shop").await.unwrap();
}

async fn served() -> (Lab, Running) {
    let lab = Lab::new();
    let server = lab.serve().await;
    (lab, server)
}
