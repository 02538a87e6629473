//! Service: the application's DNS name in the cluster.

use idp_api::web_application::AppProtocol;
use idp_core::Child;
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    kinds,
    validate::{ValidPort, Validated},
};

pub(super) fn children(app: &Validated) -> Vec<Child> {
    let spec = ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        selector: Some(app.selector.clone()),
        ports: Some(app.ports.iter().map(port).collect()),
        ..ServiceSpec::default()
    };
    let service = Service {
        spec: Some(spec),
        ..Service::default()
    };
    vec![Child::typed(kinds::SERVICE, &app.child_meta(&app.name), &service)]
}

fn port(port: &ValidPort) -> ServicePort {
    ServicePort {
        name: Some(port.name.clone()),
        port: port.service_port,
        target_port: Some(IntOrString::String(port.name.clone())),
        // Required: part of the list's key in server-side apply.
        protocol: Some("TCP".to_owned()),
        // The protocol for the mesh and the gateway; the port's name does not imply it.
        app_protocol: Some(
            match port.protocol {
                AppProtocol::Http => "http",
                AppProtocol::Http2 => "kubernetes.io/h2c",
                AppProtocol::Grpc => "grpc",
                AppProtocol::Tcp => "tcp",
            }
            .to_owned(),
        ),
        node_port: None,
    }
}
