use std::convert::Infallible;

use http::{Method, Request, Response};
use kube::client::Body;

use super::*;
use crate::kinds::CLAIMS;

/// An API server with one retained claim and no binding. The claim is gone when it is written: that request gets `code`.
fn api_server(code: u16) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| async move {
        let is_live = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("fieldSelector"));
        let is_binding = request.uri().path().contains("claimbindings");
        let (code, body) = if request.method() == Method::PATCH {
            let code = if is_binding { 404 } else { code };
            let reason = if code == 404 { "NotFound" } else { "Conflict" };
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
                "message": "no",
            });
            (code, status)
        } else {
            let claim = json!({
                "metadata": { "name": "shop-orders", "namespace": "team", "uid": "u1", "annotations": {
                    annotations::RELEASED_AT: "2026-01-01T00:00:00Z", annotations::KEPT_UNTIL: "2026-01-08T00:00:00Z",
                } },
            });
            let items = if is_live { Vec::new() } else { vec![claim] };
            let list = json!({
                "apiVersion": CLAIMS[0].api_version(), "kind": "PostgresInstanceList", "metadata": {}, "items": items,
            });
            (200, list)
        };
        let body = Body::from(body.to_string().into_bytes());
        Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
    });
    Client::new(service, "team")
}

#[tokio::test]
async fn a_claim_that_is_deleted_meanwhile_is_reported_as_gone() {
    for code in [404, 409] {
        let client = api_server(code);
        let deleted = delete(&client, &CLAIMS[..1], "team", "shop-orders").await;
        assert!(
            matches!(deleted, Err(DataError::Gone { .. })),
            "{code}: {deleted:?}"
        );
        let kept = undelete(&client, &CLAIMS[..1], "team", "shop-orders").await;
        assert!(matches!(kept, Err(DataError::Gone { .. })), "{code}: {kept:?}");
    }
}
