//! Probes.

use idp_api::web_application::{Health, Probe};
use idp_core::Problem;

use super::{findings::Findings, ports};
use crate::{reasons, validate::ValidPort};

/// The probes, with the port of each filled in.
pub(super) fn health(written: Option<&Health>, valid_ports: &[ValidPort], findings: &mut Findings) -> Health {
    let mut health = written.cloned().unwrap_or_default();
    let probes = [
        ("readiness", &mut health.readiness),
        ("liveness", &mut health.liveness),
        ("startup", &mut health.startup),
    ];
    for (name, probe) in probes {
        if let Some(probe) = probe {
            check(probe, &format!("spec.health.{name}"), valid_ports, findings);
        }
    }
    health
}

fn check(probe: &mut Probe, path: &str, valid_ports: &[ValidPort], findings: &mut Findings) {
    let ways = [
        probe.http.is_some(),
        probe.grpc.is_some(),
        probe.tcp.is_some(),
        probe.exec.is_some(),
    ];
    if ways.iter().filter(|&&given| given).count() != 1 {
        findings.add(
            Problem::error(reasons::INVALID_SPEC, "A probe needs exactly one check.")
                .at(path)
                .hint("Set exactly one of http, grpc, tcp and exec."),
        );
    }
    let ports = [
        ("http", probe.http.as_mut().map(|http| &mut http.port)),
        ("grpc", probe.grpc.as_mut().map(|grpc| &mut grpc.port)),
        ("tcp", probe.tcp.as_mut().map(|tcp| &mut tcp.port)),
    ];
    for (way, port) in ports {
        if let Some(port) = port {
            let found = ports::named(
                valid_ports,
                port.as_deref(),
                &format!("{path}.{way}.port"),
                findings,
            );
            *port = found.map(|found| found.name);
        }
    }
}
