//! Who is at the other end: the identity in the peer's certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Trust domain of the platform's own identities, `spiffe://idp.dev/ns/NAMESPACE/sa/CONTROLLER`.
pub const TRUST_DOMAIN: &str = "idp.dev";

/// The caller of a method: the URI names of its certificate. The certificate itself has been verified by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    uris: Vec<String>,
}

impl Caller {
    /// Reads the names out of a verified certificate; one that cannot be read names nobody.
    pub(crate) fn of(certificate: Option<&CertificateDer<'_>>) -> Self {
        let names = |der: &CertificateDer<'_>| -> Option<Vec<String>> {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let names = certificate.subject_alternative_name().ok()??;
            let uris = names.value.general_names.iter().filter_map(|name| match name {
                GeneralName::URI(uri) => Some((*uri).to_owned()),
                _ => None,
            });
            Some(uris.collect())
        };
        Self {
            uris: certificate.and_then(names).unwrap_or_default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn named(uri: &str) -> Self {
        Self {
            uris: vec![uri.to_owned()],
        }
    }

    /// Whether it is the controller of this name in this namespace.
    pub fn is(&self, namespace: &str, controller: &str) -> bool {
        let wanted = format!("spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{controller}");
        self.uris.contains(&wanted)
    }

    /// Whether it is any of our identities in this namespace.
    pub fn is_of(&self, namespace: &str) -> bool {
        let prefix = format!("spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/");
        self.uris.iter().any(|uri| uri.starts_with(&prefix))
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.uris.first() {
            Some(uri) => f.write_str(uri),
            None => f.write_str("a peer without a name"),
        }
    }
}
