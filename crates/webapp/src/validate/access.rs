//! Who may call the application, and whom it may call.

use idp_api::{
    environment::MeshMode,
    web_application::{Access, AppProtocol, Inbound, Outbound},
};
use idp_core::Problem;
use ipnet::IpNet;

use super::{
    findings::{Findings, list},
    ports,
    reason::{INVALID_CIDR, INVALID_SPEC, NEEDS_MESH, PORT_NOT_HTTP},
};
use crate::validated::{ValidInbound, ValidPort};

/// The callers, with their ports.
pub(super) fn inbound(
    access: Option<&Access>,
    namespace: &str,
    valid_ports: &[ValidPort],
    mesh: MeshMode,
    findings: &mut Findings,
) -> Vec<ValidInbound> {
    let written = access.map_or(&[][..], |access| &access.inbound);
    written
        .iter()
        .enumerate()
        .map(|(index, caller)| {
            let path = format!("spec.access.inbound[{index}]");
            if caller.application.is_none() && caller.namespace.is_none() {
                findings.add(
                    Problem::error(INVALID_SPEC, "the caller is not named")
                        .at(&path)
                        .hint("write application, or namespace, or both; '*' as namespace means the whole cluster"),
                );
            }
            let ports = called_ports(caller, &path, valid_ports, findings);
            by_request(caller, &path, &ports, mesh, findings);
            ValidInbound {
                application: caller.application.clone(),
                namespace: match caller.namespace.as_deref() {
                    Some("*") => None,
                    other => Some(other.unwrap_or(namespace).to_owned()),
                },
                ports,
                methods: caller.methods.clone(),
                paths: caller.paths.clone(),
            }
        })
        .collect()
}

fn called_ports(
    caller: &Inbound,
    path: &str,
    valid_ports: &[ValidPort],
    findings: &mut Findings,
) -> Vec<ValidPort> {
    if caller.ports.is_empty() {
        return valid_ports.to_vec();
    }
    let named = caller.ports.iter().enumerate();
    named
        .filter_map(|(i, name)| {
            ports::named(valid_ports, Some(name), &format!("{path}.ports[{i}]"), findings)
        })
        .collect()
}

/// Methods and paths need something that reads the requests: a sidecar, and a port that speaks HTTP.
fn by_request(caller: &Inbound, path: &str, ports: &[ValidPort], mesh: MeshMode, findings: &mut Findings) {
    let fields = [
        ("methods", !caller.methods.is_empty()),
        ("paths", !caller.paths.is_empty()),
    ];
    let Some((field, _)) = fields.into_iter().find(|(_, given)| *given) else {
        return;
    };
    // The proxies on the nodes of an ambient mesh read no requests, and deny what they cannot check.
    if mesh != MeshMode::Sidecar {
        let what = if mesh == MeshMode::None {
            "no mesh"
        } else {
            "a mesh without sidecars"
        };
        findings.add(
            Problem::error(
                NEEDS_MESH,
                format!("this cluster has {what}: nothing could check {field}"),
            )
            .at(format!("{path}.{field}"))
            .hint("take methods and paths out: the caller may then do everything on the ports"),
        );
    }
    let tcp = list(
        ports
            .iter()
            .filter(|port| port.protocol == AppProtocol::Tcp)
            .map(|port| port.name.as_str()),
    );
    if tcp != list([]) {
        findings.add(
            Problem::error(
                PORT_NOT_HTTP,
                format!("{field} cannot be checked on ports that speak Tcp: {tcp}"),
            )
            .at(format!("{path}.ports"))
            .hint("name only ports whose protocol is Http, Http2 or Grpc; allow the others separately"),
        );
    }
}

/// The allowed calls, as written.
pub(super) fn outbound(access: Option<&Access>, findings: &mut Findings) -> Vec<Outbound> {
    let written = access.map_or(&[][..], |access| &access.outbound);
    for (index, target) in written.iter().enumerate() {
        let path = format!("spec.access.outbound[{index}]");
        let kinds = [
            target.application.is_some(),
            target.external.is_some(),
            target.cidr.is_some(),
        ];
        if kinds.iter().filter(|&&given| given).count() != 1 {
            findings.add(
                Problem::error(INVALID_SPEC, "an allowed call has exactly one target")
                    .at(&path)
                    .hint("write exactly one of application, external and cidr"),
            );
        }
        if let Some(cidr) = &target.cidr {
            range(&cidr.range, &format!("{path}.cidr.range"), findings);
        }
    }
    written.to_vec()
}

fn range(text: &str, path: &str, findings: &mut Findings) {
    let (message, hint) = match text.parse::<IpNet>() {
        // The API server refuses or warns of ranges with host bits, and they mostly are mistakes.
        Ok(range) if range.trunc() != range => (
            format!("{text} is an address within the range {}", range.trunc()),
            format!("write {}", range.trunc()),
        ),
        Ok(_) => return,
        Err(_) => (
            format!("{text:?} is not a range"),
            "write a range such as 10.1.0.0/16 or 2001:db8::/32".into(),
        ),
    };
    findings.add(Problem::error(INVALID_CIDR, message).at(path).hint(hint));
}
