//! The services that every server has: health and reflection.

use idp_rpc::capability::SERVICE;
use idp_runtime::{Peer, grpc::Channel};
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{
    lab::{Lab, OTHER, peer},
    pki::Leaf,
};

async fn health(peer: &Peer, service: &str) -> Result<i32, Status> {
    let check = |channel: Channel| async {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        HealthClient::new(channel).check(request).await
    };
    Ok(peer.call(check).await?.into_inner().status)
}

async fn services(peer: &Peer) -> Result<Vec<String>, Status> {
    let list = |channel: Channel| async {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let request = Request::new(futures::stream::iter([request]));
        let mut answers = ServerReflectionClient::new(channel)
            .server_reflection_info(request)
            .await?
            .into_inner();
        answers.message().await
    };
    let answer = peer.open(list).await?.and_then(|answer| answer.message_response);
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("not a list: {answer:?}");
    };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

#[tokio::test]
async fn controllers_may_ask_how_it_is_and_what_there_is() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let controller = lab.peer(server.address, OTHER);
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    assert_eq!(health(&controller, SERVICE).await.unwrap(), i32::from(serving));
    assert_eq!(health(&controller, "").await.unwrap(), i32::from(serving));
    let unknown = health(&controller, "idp.other.v1.Other").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let services = services(&controller).await.unwrap();
    assert!(services.iter().any(|service| service == SERVICE), "{services:?}");
}

#[tokio::test]
async fn strangers_may_not() {
    let lab = Lab::new();
    let server = lab.serve().await;
    let stranger = lab.signed(
        &Leaf::of(OTHER).uris(&["spiffe://idp.dev/ns/shop/sa/shop"]),
        &lab.authority,
    );
    let stranger = peer(server.address, &stranger);
    let refused = health(&stranger, SERVICE).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = services(&stranger).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}
