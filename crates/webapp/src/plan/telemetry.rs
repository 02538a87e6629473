//! Istio's standard metrics of an application, as PromQL shared by alerts and dashboards.

use idp_api::{environment::MeshMode, web_application::AppProtocol};

use crate::validate::Validated;

/// gRPC status codes of server errors: unknown, deadline exceeded, internal, unavailable, data loss. Their HTTP
/// status is 200.
const GRPC_ERRORS: &str = "2|4|13|14|15";

/// Matchers of the series that count the application's requests.
///
/// A sidecar counts all requests that arrive, from any client. Without sidecars, only the client's Envoy counts
/// requests: the gateway (ztunnel counts connections). It knows the Service, but not which workload would have
/// responded.
///
/// A sidecar cannot count requests that never arrive: an application without pods has no errors by this metric, so
/// there are separate alerts for the workload.
pub(super) fn matchers(app: &Validated) -> String {
    let (name, namespace) = (&app.name, &app.namespace);
    if app.mesh.mode == MeshMode::Sidecar {
        format!(
            r#"reporter="destination",destination_workload_namespace="{namespace}",destination_workload="{name}""#
        )
    } else {
        format!(
            r#"reporter="source",destination_service_namespace="{namespace}",destination_service_name="{name}""#
        )
    }
}

/// Requests per second.
pub(super) fn requests(app: &Validated, range: &str) -> String {
    format!("sum(rate(istio_requests_total{{{}}}[{range}]))", matchers(app))
}

/// Requests per second with a server error; 0 instead of no data if there are none.
pub(super) fn errors(app: &Validated, range: &str) -> String {
    let matchers = matchers(app);
    let mut failed = format!(r#"rate(istio_requests_total{{{matchers},response_code=~"5.."}}[{range}])"#);
    if app.ports.iter().any(|port| port.protocol == AppProtocol::Grpc) {
        failed.push_str(&format!(
            r#" or rate(istio_requests_total{{{matchers},response_code!~"5..",grpc_response_status=~"{GRPC_ERRORS}"}}[{range}])"#
        ));
    }
    format!("(sum({failed}) or vector(0))")
}

/// Slower requests per second; 0 instead of no data if there are none.
pub(super) fn slower_than(app: &Validated, milliseconds: i32, range: &str) -> String {
    let (matchers, metric) = (matchers(app), "istio_request_duration_milliseconds");
    // Prometheus 3 formats the bound 250 as 250.0.
    format!(
        r#"((sum(rate({metric}_count{{{matchers}}}[{range}])) - sum(rate({metric}_bucket{{{matchers},le=~"{milliseconds}([.]0)?"}}[{range}]))) or vector(0))"#
    )
}

/// The response time in milliseconds for this share of requests.
pub(super) fn quantile(app: &Validated, share: &str, range: &str) -> String {
    let matchers = matchers(app);
    format!(
        "histogram_quantile({share}, sum by (le) (rate(istio_request_duration_milliseconds_bucket{{{matchers}}}[{range}])))"
    )
}

/// Matchers of the pods that serve requests: those of the Deployment's ReplicaSets, whose names end with two words of
/// these letters. Pods of an application whose name begins with this name and a dash have one more word.
pub(super) fn pods(app: &Validated) -> String {
    const WORD: &str = "[bcdfghjklmnpqrstvwxz2456789]+";
    format!(
        r#"namespace="{}",pod=~"{}-{WORD}-{WORD}""#,
        app.namespace, app.name
    )
}

/// Matchers of the Deployment.
pub(super) fn deployment(app: &Validated) -> String {
    format!(r#"namespace="{}",deployment="{}""#, app.namespace, app.name)
}

/// A number without trailing zeros and without rounding errors of binary fractions.
pub(super) fn number(value: f64) -> String {
    format!("{value:.6}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::app;

    #[test]
    fn grpc_errors_count_too() {
        let mut app = app();
        assert!(!errors(&app, "5m").contains("grpc"));
        app.ports[0].protocol = AppProtocol::Grpc;
        assert!(errors(&app, "5m").contains(r#"grpc_response_status=~"2|4|13|14|15""#));
    }

    #[test]
    fn without_a_sidecar_the_gateway_counts() {
        let mut app = app();
        app.mesh.mode = MeshMode::Ambient;
        assert_eq!(
            matchers(&app),
            r#"reporter="source",destination_service_namespace="team-a",destination_service_name="shop""#
        );
    }

    #[test]
    fn numbers_are_clean() {
        assert_eq!(number(1.0 - 0.999), "0.001");
        assert_eq!(number(14.4), "14.4");
        assert_eq!(number(1.0), "1");
    }
}
