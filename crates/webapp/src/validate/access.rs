//! The allowed callers of the application, and its allowed outbound connections.

use idp_api::{
    environment::{MeshMode, NetworkBounds},
    web_application::{Access, AppProtocol, Inbound, Outbound},
};
use idp_core::Problem;
use ipnet::IpNet;

use super::{
    findings::{Findings, list},
    ports,
};
use crate::{
    ip_ranges, reasons,
    validate::{ValidInbound, ValidPort},
};

/// Domains whose names mean the cluster, its nodes, or the cloud's metadata service.
const CLUSTER_DOMAINS: [&str; 5] = ["svc", "cluster.local", "local", "internal", "localhost"];

/// The allowed callers, with their ports.
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
                    Problem::error(reasons::INVALID_SPEC, "The caller has no name.")
                        .at(&path)
                        .hint("Set application, namespace, or both. Namespace '*' means the whole cluster."),
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

/// Methods and paths can only be checked by a sidecar, and on an HTTP port.
fn by_request(caller: &Inbound, path: &str, ports: &[ValidPort], mesh: MeshMode, findings: &mut Findings) {
    let fields = [
        ("methods", !caller.methods.is_empty()),
        ("paths", !caller.paths.is_empty()),
    ];
    let Some((field, _)) = fields.into_iter().find(|(_, given)| *given) else {
        return;
    };
    // The node proxies of an ambient mesh do not read requests, and deny what they cannot check.
    if mesh != MeshMode::Sidecar {
        let what = if mesh == MeshMode::None {
            "no mesh"
        } else {
            "a mesh without sidecars"
        };
        findings.add(
            Problem::error(
                reasons::NEEDS_MESH,
                format!("The Environment has {what}, so {field} cannot be checked."),
            )
            .at(format!("{path}.{field}"))
            .hint("Remove methods and paths. The caller may then send any request to the ports."),
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
                reasons::PORT_NOT_HTTP,
                format!("{field} cannot be checked on Tcp ports: {tcp}."),
            )
            .at(format!("{path}.ports"))
            .hint("Name only ports with protocol Http, Http2 or Grpc. Allow the other ports in a separate entry."),
        );
    }
}

/// The application's namespace, and the bounds of its Environment.
pub(super) struct Reach<'a> {
    /// Name of the Environment.
    pub(super) environment: &'a str,
    /// Its bounds.
    pub(super) bounds: &'a NetworkBounds,
    /// Namespace of the application.
    pub(super) namespace: &'a str,
}

/// The allowed outbound connections, as written.
pub(super) fn outbound(access: Option<&Access>, reach: &Reach<'_>, findings: &mut Findings) -> Vec<Outbound> {
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
                Problem::error(
                    reasons::INVALID_SPEC,
                    "An outbound connection needs exactly one target.",
                )
                .at(&path)
                .hint("Set exactly one of application, external and cidr."),
            );
        }
        if let Some(cidr) = &target.cidr {
            let problem = range(&cidr.range)
                .and_then(|range| allowed(range, reach))
                .map_err(|problem| problem.at(format!("{path}.cidr.range")))
                .and_then(|()| {
                    ports_named(&cidr.ports).map_err(|problem| problem.at(format!("{path}.cidr.ports")))
                });
            if let Err(problem) = problem {
                findings.add(problem);
            }
        }
        if let Some(external) = &target.external
            && let Err(problem) = outside(&external.host)
        {
            findings.add(problem.at(format!("{path}.external.host")));
        }
    }
    written.to_vec()
}

fn range(text: &str) -> Result<IpNet, Problem> {
    let (message, hint) = match text.parse::<IpNet>() {
        // The API server rejects or warns about ranges with host bits, and most are mistakes.
        Ok(range) if range.trunc() != range => (
            format!(
                "{text} is an address within the range {}, not a range.",
                range.trunc()
            ),
            format!("Use {}.", range.trunc()),
        ),
        Ok(range) => return Ok(range),
        Err(_) => (
            format!("{text:?} is not an IP range."),
            "Use a range such as 10.1.0.0/16 or 2001:db8::/32.".into(),
        ),
    };
    Err(Problem::error(reasons::INVALID_CIDR, message).hint(hint))
}

/// A range is allowed if the Environment lists it or a range around it. Addresses that are never allowed are left out of a
/// wider range by the plan; a range that has no others is rejected.
fn allowed(range: IpNet, reach: &Reach<'_>) -> Result<(), Problem> {
    let (environment, namespace) = (reach.environment, reach.namespace);
    let never = ip_ranges::never(&reach.bounds.cluster_ranges);
    if ip_ranges::parts(range, &never).is_none() {
        let what = ip_ranges::covering(range, &never).unwrap_or(range);
        return Err(Problem::error(
            reasons::CIDR_NOT_ALLOWED,
            format!(
                "{range} is within {what}. Applications never connect to addresses of the cluster itself, of the node, of \
                 the cloud's metadata service, to multicast, or to IPv6 addresses that contain an IPv4 address."
            ),
        )
        .hint("Use the range of the service that you call. For an application of this cluster, use application."));
    }
    let listed =
        reach.bounds.allowed_ranges.iter().filter(|entry| {
            entry.namespaces.is_empty() || entry.namespaces.iter().any(|one| one == namespace)
        });
    let ranges: Vec<IpNet> = listed.filter_map(|entry| entry.range.parse().ok()).collect();
    if ip_ranges::covering(range, &ranges).is_some() {
        return Ok(());
    }
    let ranges: Vec<String> = ranges.iter().map(IpNet::to_string).collect();
    Err(Problem::error(
        reasons::CIDR_NOT_ALLOWED,
        format!("Environment {environment} does not allow namespace {namespace} to connect to {range}."),
    )
    .hint(format!(
        "For a host with a name, use external. Otherwise ask the platform team to add the range to network.allowedRanges \
         of Environment {environment}. Allowed: {}.",
        list(ranges.iter().map(String::as_str))
    )))
}

/// Without a port, every port of every protocol would be open.
fn ports_named(ports: &[i32]) -> Result<(), Problem> {
    if ports.is_empty() {
        return Err(Problem::error(
            reasons::INVALID_SPEC,
            "The range has no ports, which would open all of them.",
        )
        .hint("Set the TCP ports that you call, such as ports: [5432]."));
    }
    Ok(())
}

/// An external host is a name of the public DNS: not an address in any notation, and not a name of the cluster.
fn outside(host: &str) -> Result<(), Problem> {
    let name = host.strip_prefix("*.").unwrap_or(host).trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    // Browsers and resolvers read these as addresses: 169.254.169.254, 0xa9.0xfe.0xa9.0xfe and 169.16689662.
    let is_number = last.chars().all(|c| c.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
    if is_number || host.contains(':') {
        return Err(Problem::error(
            reasons::HOST_NOT_OUTSIDE,
            format!("{host} is an IP address, not a host name."),
        )
        .hint("Use the name of the host. For a range of addresses, use cidr."));
    }
    let is_within = |name: &str, domain: &str| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let wildcard = host.starts_with("*.");
    let ours = CLUSTER_DOMAINS
        .iter()
        .find(|domain| is_within(name, domain) || (wildcard && is_within(domain, name)));
    match ours {
        None => Ok(()),
        Some(domain) => Err(Problem::error(
            reasons::HOST_NOT_OUTSIDE,
            format!("{host} is a name inside the cluster: {domain} is not a domain of the public DNS."),
        )
        .hint("For an application of this cluster, use application with its name and namespace.")),
    }
}
