//! Where capabilities listen: given as arguments, or found as Services.

use std::str::FromStr;

use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Label of the Services of capabilities: the capability's name.
pub const CAPABILITY: &str = "idp.dev/capability";

/// Where a capability listens: `NAME=[SERVER@]HOST:PORT`. SERVER is the name in its certificate, by default HOST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Name of the capability.
    pub capability: String,
    /// Name in its certificate.
    pub server: String,
    /// `host:port`.
    pub address: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not NAME=[SERVER@]HOST:PORT, such as secrets=idp-secrets-bridge@127.0.0.1:9443"
            )
        };
        let (capability, place) = text.split_once('=').ok_or_else(wrong)?;
        let (server, address) = match place.split_once('@') {
            Some((server, address)) => (Some(server), address),
            None => (None, place),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        if capability.is_empty() || host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        Ok(Self {
            capability: capability.to_owned(),
            server: server.unwrap_or(host).to_owned(),
            address: address.to_owned(),
        })
    }
}

/// The address that the Service of a capability has; null if it has no port.
pub fn service(object: &DynamicObject) -> Value {
    let metadata = &object.metadata;
    let address = || {
        let port = object.data["spec"]["ports"].get(0)?["port"].as_u64()?;
        let host = format!(
            "{}.{}.svc",
            metadata.name.as_deref()?,
            metadata.namespace.as_deref()?
        );
        Some(Address {
            capability: metadata.labels.as_ref()?.get(CAPABILITY)?.clone(),
            address: format!("{host}:{port}"),
            server: host,
        })
    };
    serde_json::to_value(address()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address: Address = "secrets=idp-secrets-bridge@127.0.0.1:9443".parse().unwrap();
        assert_eq!(
            (
                address.capability.as_str(),
                address.server.as_str(),
                address.address.as_str()
            ),
            ("secrets", "idp-secrets-bridge", "127.0.0.1:9443")
        );
        assert_eq!(
            "mail=mail.idp-system.svc:9443".parse::<Address>().unwrap().server,
            "mail.idp-system.svc"
        );
        for wrong in ["secrets", "=a:1", "secrets=a", "secrets=a:b", "secrets=:1"] {
            assert!(wrong.parse::<Address>().unwrap_err().contains("NAME="), "{wrong}");
        }
    }
}
