//! HTTP requests to programs on loopback: health checks, and calls of LocalStack.

use std::time::Duration;

use anyhow::{Context, Result};
use http::{Method, Request, Uri, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Timeout of a request. A service's first response is slow, as it loads then.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Timeout of a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends a request to `http://host:port/path`. Returns status code and body of the response.
pub(crate) async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(u16, String)> {
    tokio::time::timeout(TIMEOUT, exchange(method, url, headers, body))
        .await
        .with_context(|| format!("{url} did not respond within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("calling {url}"))
}

/// Whether a program is healthy: it responds with 200, or at `tcp://host:port`, accepts connections.
pub(crate) async fn is_healthy(url: &str) -> bool {
    if let Some(address) = url.strip_prefix("tcp://") {
        return TcpStream::connect(address).await.is_ok();
    }
    let request = exchange(Method::GET, url, &[], "");
    let response = tokio::time::timeout(HEALTH_TIMEOUT, request).await;
    matches!(response, Ok(Ok((200, _))))
}

/// One request on its own connection.
async fn exchange(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String)> {
    let url: Uri = url.parse()?;
    let authority = url.authority().context("The URL has no host.")?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let call = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        // Without a sender, the connection ends.
        drop(sender);
        Ok::<_, hyper::Error>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let (response, _) = tokio::join!(call, connection);
    Ok(response?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Responds once with `response`; returns the request.
    async fn exchange_with(response: &'static str) -> (Result<(u16, String)>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a/b", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"{}") {
                stream.read_buf(&mut got).await.unwrap();
            }
            stream.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&got).into_owned()
        });
        let answer = send(Method::POST, &url, &[("X-Amz-Target", "t")], "{}").await;
        (answer, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_request_and_its_response() {
        let (answer, request) = exchange_with("HTTP/1.0 404 no\r\nx: y\r\n\r\nnothing\n").await;
        assert_eq!(answer.unwrap(), (404, "nothing\n".to_owned()));
        assert!(request.starts_with("POST /a/b HTTP/1.1\r\n") && request.ends_with("\r\n\r\n{}"));
        assert!(
            request.to_lowercase().contains("\r\nx-amz-target: t\r\n"),
            "{request}"
        );
        assert!(request.contains("\r\nhost: 127.0.0.1:"), "{request}");
    }

    #[tokio::test]
    async fn a_response_in_chunks() {
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n";
        let (answer, _) = exchange_with(chunks).await;
        assert_eq!(answer.unwrap(), (200, "ok!".to_owned()));
    }
}
