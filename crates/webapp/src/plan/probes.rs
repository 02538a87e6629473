//! Probes of the application's container.

use idp_api::web_application::Probe as Written;
use k8s_openapi::{
    api::core::v1::{ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::validate::Validated;

/// A Kubernetes probe. Fields that are not set keep Kubernetes' defaults, which the schema documents.
pub(super) fn probe(app: &Validated, written: Option<&Written>) -> Option<Probe> {
    let written = written?;
    // Validation has set the port names; only gRPC probes require the number.
    let by_name = |name: &Option<String>| IntOrString::String(name.clone().unwrap_or_default());
    let number = |name: &Option<String>| {
        app.ports
            .iter()
            .find(|port| Some(&port.name) == name.as_ref())
            .map_or(0, |port| port.port)
    };
    Some(Probe {
        http_get: written.http.as_ref().map(|http| HTTPGetAction {
            path: Some(http.path.clone()),
            port: by_name(&http.port),
            ..HTTPGetAction::default()
        }),
        grpc: written.grpc.as_ref().map(|grpc| GRPCAction {
            port: number(&grpc.port),
            service: grpc.service.clone(),
        }),
        tcp_socket: written.tcp.as_ref().map(|tcp| TCPSocketAction {
            port: by_name(&tcp.port),
            ..TCPSocketAction::default()
        }),
        exec: written.exec.as_ref().map(|exec| ExecAction {
            command: Some(exec.command.clone()),
        }),
        period_seconds: written.period_seconds,
        timeout_seconds: written.timeout_seconds,
        failure_threshold: written.failure_threshold,
        ..Probe::default()
    })
}
