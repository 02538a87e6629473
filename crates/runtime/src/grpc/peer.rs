//! The identity in a peer's certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Trust domain of the platform's own identities, `spiffe://idp.dev/ns/NAMESPACE/sa/CONTROLLER`.
pub const TRUST_DOMAIN: &str = "idp.dev";

/// The caller of a method: the URI in its certificate. The certificate itself has been verified by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    uri: Option<String>,
}

impl Caller {
    /// Reads the name from a verified certificate. A certificate that cannot be parsed, or that has several URIs, has no name:
    /// SPIFFE allows exactly one.
    pub(crate) fn of(certificate: Option<&CertificateDer<'_>>) -> Self {
        let name = |der: &CertificateDer<'_>| -> Option<String> {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let names = certificate.subject_alternative_name().ok()??;
            let mut uris = names.value.general_names.iter().filter_map(|name| match name {
                GeneralName::URI(uri) => Some((*uri).to_owned()),
                _ => None,
            });
            let only = uris.next()?;
            uris.next().is_none().then_some(only)
        };
        Self {
            uri: certificate.and_then(name),
        }
    }

    #[cfg(test)]
    pub(crate) fn named(uri: &str) -> Self {
        Self {
            uri: Some(uri.to_owned()),
        }
    }

    /// Whether it is the controller of this name in this namespace.
    pub fn is(&self, namespace: &str, controller: &str) -> bool {
        self.controller_of(namespace) == Some(controller)
    }

    /// Whether it is any of our identities in this namespace.
    pub fn is_of(&self, namespace: &str) -> bool {
        self.controller_of(namespace).is_some()
    }

    fn controller_of(&self, namespace: &str) -> Option<&str> {
        let prefix = format!("spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/");
        let name = self.uri.as_deref()?.strip_prefix(&prefix)?;
        (!name.is_empty() && !name.contains('/')).then_some(name)
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.uri {
            Some(uri) => f.write_str(uri),
            None => f.write_str("a peer without a name"),
        }
    }
}
