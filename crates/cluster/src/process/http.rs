//! As much HTTP as it takes to ask a program on loopback whether it is well, and LocalStack for its secrets.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one answer may take. The first one of a service is slow: it is loaded then.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends one request to `http://host:port`, and gives the status code and the body of the answer.
pub(crate) async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(u16, String)> {
    tokio::time::timeout(LIMIT, exchange(method, url, headers, body))
        .await
        .with_context(|| format!("{url} does not answer"))?
        .with_context(|| format!("asking {url}"))
}

/// Whether it answers, and with 200; at a `tcp://host:port`, whether it listens.
pub(crate) async fn is_well(url: &str) -> bool {
    if let Some(address) = url.strip_prefix("tcp://") {
        return TcpStream::connect(address).await.is_ok();
    }
    let asked = exchange("GET", url, &[], "");
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
    matches!(answer, Ok(Ok((200, _))))
}

async fn exchange(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String)> {
    let address = url.strip_prefix("http://").context("it is no http:// address")?;
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let mut stream = TcpStream::connect(host).await?;
    // 1.0: the answer ends with the connection, and never comes in chunks.
    let mut request = format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&String::from_utf8_lossy(&answer)).context("the answer is no HTTP")
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((code, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_request_and_its_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a/b", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = vec![0; 1024];
            let length = stream.read(&mut got).await.unwrap();
            stream
                .write_all(b"HTTP/1.0 404 no\r\nx: y\r\n\r\nnothing\n")
                .await
                .unwrap();
            String::from_utf8_lossy(&got[..length]).into_owned()
        });
        let answer = send("POST", &url, &[("X-Amz-Target", "t")], "{}").await.unwrap();
        assert_eq!(answer, (404, "nothing\n".to_owned()));
        let request = server.await.unwrap();
        assert!(request.starts_with("POST /a/b HTTP/1.0\r\n") && request.ends_with("\r\n\r\n{}"));
        assert!(request.contains("\r\nX-Amz-Target: t\r\n"), "{request}");
    }
}
