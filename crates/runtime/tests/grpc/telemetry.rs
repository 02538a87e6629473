//! Traces and metrics. Tests of metrics have one thread each, as the recorder is the thread's.

use idp_rpc::capability;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tonic::Code;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::lab::{Lab, OTHER, WEBAPP, eventually, plan};

#[tokio::test]
async fn the_trace_of_the_caller_goes_on_in_the_handler() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // For all tests of this process: where each thread has its own, a span that others do not want stays off.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    let lab = Lab::new();
    let server = lab.serve().await;
    let peer = lab.peer(server.address, WEBAPP);
    let mut expected = Vec::new();
    for _ in 0..2 {
        let span = tracing::info_span!("reconcile");
        expected.push(span.context().span().span_context().trace_id().to_string());
        plan(&peer, "shop").instrument(span).await.unwrap();
    }
    assert_ne!(expected[0], expected[1], "one trace for each, on one connection");
    for ((header, handler), expected) in lab.stub.traces().into_iter().zip(&expected) {
        let header = header.expect("traceparent");
        assert_eq!(header.split('-').nth(1), Some(expected.as_str()), "{header}");
        assert_eq!(&handler, expected);
    }
    drop(server);
}

/// The value of a counter with these labels.
fn count(metrics: &PrometheusHandle, name: &str, method: &str, code: Code) -> Option<u64> {
    let rendered = metrics.render();
    let line = rendered.lines().find(|line| {
        let label = |label: &str| line.contains(label);
        line.starts_with(&format!("{name}{{"))
            && label(&format!("grpc_service=\"{}\"", capability::SERVICE))
            && label(&format!("grpc_method=\"{method}\""))
            && label(&format!("grpc_code=\"{code:?}\""))
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn every_call_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let lab = Lab::new();
    let server = lab.serve().await;
    let webapp = lab.peer(server.address, WEBAPP);
    let other = lab.peer(server.address, OTHER);
    for _ in 0..3 {
        plan(&webapp, "shop").await.unwrap();
    }
    other.call(capability::describe).await.unwrap();
    plan(&other, "shop").await.unwrap_err();
    plan(&webapp, "panic").await.unwrap_err();
    plan(&webapp, "unavailable").await.unwrap_err();
    plan(&webapp, "hang").await.unwrap_err();
    for side in ["grpc_server_handled_total", "grpc_client_handled_total"] {
        for (method, code, calls) in [
            ("Plan", Code::Ok, 3),
            ("Plan", Code::PermissionDenied, 1),
            ("Plan", Code::Internal, 1),
            ("Plan", Code::Unavailable, 4),
            ("Describe", Code::Ok, 1),
        ] {
            assert_eq!(
                count(&metrics, side, method, code),
                Some(calls),
                "{side} {method} {code:?}"
            );
        }
    }
    let client = "grpc_client_handled_total";
    assert_eq!(count(&metrics, client, "Plan", Code::DeadlineExceeded), Some(1));
    // The server hears of it from its own clock or from the caller, whichever is first.
    eventually("the server counts it too", async || {
        let code = |code| count(&metrics, "grpc_server_handled_total", "Plan", code);
        code(Code::DeadlineExceeded).or(code(Code::Cancelled)) == Some(1)
    })
    .await;
    let rendered = metrics.render();
    assert!(rendered.contains("grpc_server_handling_seconds"), "{rendered}");
}

#[tokio::test]
async fn nobody_makes_up_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let lab = Lab::new();
    let server = lab.serve().await;
    let refused = crate::refused::unknown(lab.peer(server.address, WEBAPP)).await;
    assert_eq!(refused.code(), Code::Unimplemented);
    let rendered = metrics.render();
    assert!(!rendered.contains("grpc_server_handled_total"), "{rendered}");
    // The caller's own program says what it calls.
    let client = "grpc_client_handled_total";
    assert_eq!(count(&metrics, client, "Delete", Code::Unimplemented), Some(1));
    // Whoever is turned away at the door is counted, without a name.
    lab.handshake(server.address, None).await.map(drop).unwrap_err();
    eventually("the refused connection is counted", async || {
        metrics.render().contains("idp_grpc_refused_connections_total 1")
    })
    .await;
}
