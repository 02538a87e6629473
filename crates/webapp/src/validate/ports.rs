//! Ports.

use idp_api::{WebApplicationSpec, web_application::AppProtocol};
use idp_core::Problem;

use super::findings::{Findings, list};
use crate::{reasons, validate::ValidPort};

/// The ports with their defaults. Never empty.
pub(super) fn ports(spec: &WebApplicationSpec, findings: &mut Findings) -> Vec<ValidPort> {
    let Some(written) = spec.ports.as_deref().filter(|ports| !ports.is_empty()) else {
        return vec![ValidPort {
            name: "http".to_owned(),
            port: 8080,
            service_port: 80,
            protocol: AppProtocol::Http,
        }];
    };
    let ports: Vec<ValidPort> = written
        .iter()
        .enumerate()
        .map(|(index, port)| ValidPort {
            name: port.name.clone(),
            port: port.port,
            service_port: port
                .service_port
                .unwrap_or(if index == 0 { 80 } else { port.port }),
            protocol: port.protocol,
        })
        .collect();
    for (index, port) in ports.iter().enumerate() {
        // Only root may listen below 1024, and containers do not run as root.
        if !(1024..=65535).contains(&port.port) {
            findings.add(
                Problem::error(
                    reasons::INVALID_SPEC,
                    format!("Port {} is not between 1024 and 65535.", port.port),
                )
                .at(format!("spec.ports[{index}].port"))
                .hint("Let the program listen on a port above 1023. servicePort may be 80."),
            );
        }
    }
    findings.unique(
        ports.iter().map(|port| &port.name),
        |i| format!("spec.ports[{i}].name"),
        "port",
    );
    findings.unique(
        ports.iter().map(|port| port.port),
        |i| format!("spec.ports[{i}].port"),
        "port number",
    );
    findings.unique(
        ports.iter().map(|port| port.service_port),
        |i| format!("spec.ports[{i}].servicePort"),
        "Service port",
    );
    ports
}

/// The port of this name, or the first port without a name.
pub(super) fn named(
    ports: &[ValidPort],
    name: Option<&str>,
    path: &str,
    findings: &mut Findings,
) -> Option<ValidPort> {
    let Some(name) = name else {
        return ports.first().cloned();
    };
    let found = ports.iter().find(|port| port.name == name).cloned();
    if found.is_none() {
        findings.add(
            Problem::error(
                reasons::UNKNOWN_PORT,
                format!("spec.ports has no port named {name}."),
            )
            .at(path)
            .hint(format!(
                "Use one of: {}. Or add the port to spec.ports.",
                list(ports.iter().map(|p| p.name.as_str()))
            )),
        );
    }
    found
}
