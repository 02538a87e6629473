//! The real server on loopback ports, called by a minimal client.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    greeting::Greeting,
    server::{Server, ServerError},
    settings::Settings,
    web::{App, router},
};

/// A running service.
struct Running {
    pages: SocketAddr,
    metrics: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServerError>>,
}

fn settings(overrides: &'static [(&'static str, &'static str)]) -> Settings {
    let defaults = [
        ("PORT", "0"),
        ("METRICS_PORT", "0"),
        ("DRAIN_SECONDS", "0"),
        ("IDP_ENVIRONMENT", "<local>"),
    ];
    Settings::read(&|name| {
        overrides
            .iter()
            .chain(&defaults)
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

async fn start(overrides: &'static [(&'static str, &'static str)]) -> Running {
    let settings = settings(overrides);
    let app = Arc::new(App::new(settings.place.clone()).unwrap());
    let server = Server::bind(&settings, app).await.unwrap();
    let loopback = |address: SocketAddr| SocketAddr::from(([127, 0, 0, 1], address.port()));
    let (pages, metrics) = (
        loopback(server.address().unwrap()),
        loopback(server.metrics_address().unwrap()),
    );
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let stop = async { drop(stopped.await) };
        server.run(&settings, stop).await
    });
    Running {
        pages,
        metrics,
        stop,
        task,
    }
}

/// Status, and head and body together.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap();
    (status, answer)
}

async fn ended(task: JoinHandle<Result<(), ServerError>>) -> Result<(), ServerError> {
    timeout(Duration::from_secs(5), task)
        .await
        .expect("the server stops")
        .expect("without a panic")
}

#[tokio::test]
async fn pages_answer_with_escaped_facts() {
    let service = start(&[]).await;
    let (status, page) = get(service.pages, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("&lt;local&gt;") && !page.contains("<local>"));
    assert!(
        page.to_lowercase()
            .contains("content-security-policy: default-src 'none'")
    );

    let (status, answer) = get(service.pages, "/api/info").await;
    assert_eq!(status, 200);
    let info: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(info["environment"], "<local>");
    assert_eq!(info["requestsServed"], 1, "the page before, not this request");
}

#[tokio::test]
async fn probes_answer_and_do_not_count_as_visitors() {
    let service = start(&[]).await;
    assert_eq!(get(service.pages, "/healthz").await.0, 200);
    assert_eq!(get(service.pages, "/readyz").await.0, 200);
    assert!(
        get(service.pages, "/api/info")
            .await
            .1
            .contains(r#""requestsServed":0"#)
    );
}

#[tokio::test]
async fn metrics_are_by_path_template_and_on_their_own_port() {
    let service = start(&[]).await;
    get(service.pages, "/api/delay/1").await;
    get(service.pages, "/api/delay/2").await;
    get(service.pages, "/wp-login.php").await;
    assert_eq!(get(service.pages, "/metrics").await.0, 404);

    let (status, text) = get(service.metrics, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"sample_http_requests_total{method="GET",route="/api/delay/{milliseconds}",status="200"} 2"#,
        r#"sample_http_requests_total{method="GET",route="unmatched",status="404"} 2"#,
        r#"sample_http_request_duration_seconds_bucket{route="/api/delay/{milliseconds}",le="10"} 2"#,
        "sample_http_requests_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn while_starting_it_lives_but_is_not_ready() {
    let app = Arc::new(App::new(settings(&[]).place).unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router(app.clone())).into_future());
    assert_eq!(get(address, "/healthz").await.0, 200);
    assert_eq!(get(address, "/readyz").await.0, 503);
    app.start(Greeting::default());
    assert_eq!(get(address, "/readyz").await.0, 200);
}

#[tokio::test]
async fn told_to_stop_it_is_not_ready_but_answers() {
    let service = start(&[("DRAIN_SECONDS", "1")]).await;
    assert_eq!(get(service.pages, "/readyz").await.0, 200);
    service.stop.send(()).unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(get(service.pages, "/readyz").await.0, 503);
    assert_eq!(
        get(service.pages, "/healthz").await.0,
        200,
        "or the kubelet would restart what is stopping"
    );
    assert_eq!(get(service.pages, "/").await.0, 200);
    ended(service.task).await.unwrap();
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let service = start(&[]).await;
    let slow = tokio::spawn(get(service.pages, "/api/delay/400"));
    sleep(Duration::from_millis(100)).await;
    service.stop.send(()).unwrap();
    assert_eq!(slow.await.unwrap().0, 200);
    ended(service.task).await.unwrap();
    assert!(TcpStream::connect(service.pages).await.is_err());
}

#[tokio::test]
async fn a_broken_configuration_ends_the_start() {
    let service = start(&[("GREETING_FILE", "/nonexistent/greeting.json")]).await;
    let error = ended(service.task).await.unwrap_err();
    assert!(matches!(error, ServerError::Greeting(_)), "{error}");
}
