//! Logs and traces.

use std::{io::IsTerminal, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::observability::log_lines::Lines;

/// Format of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For humans.
    Human,
}

/// Logging and tracing.
#[derive(Clone, Debug, Default, Args)]
pub struct TelemetryArgs {
    /// Format of logs; by default human on a terminal and JSON elsewhere
    #[arg(long, env = "IDP_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Which events are logged: a level, or directives such as `info,idp_runtime=debug`
    #[arg(long, env = "IDP_LOG", default_value = "info")]
    pub log_level: String,
    /// Endpoint for traces (OTLP over gRPC), such as http://tempo:4317; by default none are sent
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
}

/// Flushes traces at the end.
#[derive(Default)]
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sets up logs and traces. If a subscriber is set already (in tests, or with several controllers in one
    /// process), that one stays.
    pub(crate) fn start(name: &'static str, args: &TelemetryArgs) -> anyhow::Result<Self> {
        let filter = EnvFilter::builder()
            .parse(&args.log_level)
            .with_context(|| format!("--log-level {} is not a valid filter", args.log_level))?;
        // Each request is logged by the code that sends it. The client's own log is on only if the filter names it.
        let filter = if args.log_level.contains("kube") {
            filter
        } else {
            [
                "kube_client=off",
                "kube_runtime=warn",
                "tower=warn",
                "hyper=warn",
                "h2=warn",
            ]
            .into_iter()
            .filter_map(|directive| directive.parse().ok())
            .fold(filter, EnvFilter::add_directive)
        };
        let human = std::io::stderr().is_terminal();
        let format = args
            .log_format
            .unwrap_or(if human { LogFormat::Human } else { LogFormat::Json });
        let coloured = human && format == LogFormat::Human;
        let lines = tracing_subscriber::fmt::layer().with_writer(Lines { coloured });
        let lines = match format {
            LogFormat::Json => lines
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .boxed(),
            LogFormat::Human => lines.with_ansi(human).boxed(),
        };
        let provider = args
            .otlp_endpoint
            .as_deref()
            .map(|endpoint| provider(name, endpoint))
            .transpose()?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let traces = provider
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(name)));
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .with(traces)
            .try_init();
        Ok(Self { provider })
    }

    /// Sends the remaining traces.
    pub(crate) async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        // This blocks, and needs the runtime meanwhile.
        let flushed =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(Duration::from_secs(3)));
        if let Ok(Err(error)) = flushed.await {
            tracing::warn!(%error, "Cannot send the remaining traces.");
        }
    }
}

fn provider(name: &'static str, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(5))
        .build()
        .with_context(|| format!("cannot export traces to {endpoint}"))?;
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    };
    use tokio::sync::mpsc;
    use tonic::{Request, Response, Status, transport::server::TcpIncoming};
    use tracing::Instrument;

    use super::*;

    /// A collector that forwards each request to the test.
    struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

    #[tonic::async_trait]
    impl TraceService for Collector {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            self.0.send(request.into_inner()).unwrap();
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_a_collector() {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = format!("http://{}", incoming.local_addr().unwrap());
        let (sender, mut received) = mpsc::unbounded_channel();
        let collector = TraceServiceServer::new(Collector(sender));
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(collector)
                .serve_with_incoming(incoming),
        );

        let args = TelemetryArgs {
            log_level: "info".to_owned(),
            otlp_endpoint: Some(endpoint),
            ..TelemetryArgs::default()
        };
        let telemetry = Telemetry::start("idp-test", &args).unwrap();
        async {}
            .instrument(tracing::info_span!("reconcile", name = "shop"))
            .await;
        telemetry.shutdown().await;

        let batch = received.recv().await.unwrap().resource_spans.remove(0);
        let service = &batch.resource.unwrap().attributes;
        assert!(
            service
                .iter()
                .any(|pair| pair.key == "service.name" && format!("{:?}", pair.value).contains("idp-test"))
        );
        let span = &batch.scope_spans[0].spans[0];
        assert_eq!(span.name, "reconcile");
        assert!(
            span.attributes.iter().any(|pair| pair.key == "name"),
            "{:?}",
            span.attributes
        );
    }
}
