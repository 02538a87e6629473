//! Certificate signing requests (CSRs) from users that we do not trust.
//!
//! The issuer parses the same bytes with another parser and signs what it finds. So everything that two parsers could
//! read differently is rejected: text around the PEM block, bytes after a value, and duplicate or unknown attributes
//! and extensions. Signatures are not checked: every issuer does that.

mod der;
mod key;
mod pem;

use std::{collections::BTreeSet, net::IpAddr};

use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::{GeneralName, KeyUsage, ParsedExtension, X509Extension},
    oid_registry::OID_X509_COMMON_NAME,
    prelude::FromDer,
};

use crate::{
    certificate_request::requirements::{Key, MAX_NAMES, Names, Rejection, check_names},
    reasons::{
        EXTENSION_NOT_ALLOWED, NAME_KIND_NOT_ALLOWED, NAME_MALFORMED, REQUEST_MALFORMED, REQUEST_TOO_LARGE,
        SUBJECT_NOT_ALLOWED, TOO_MANY_NAMES,
    },
};

/// Maximum size of the PEM text.
pub const MAX_BYTES: usize = 64 * 1024;

/// The contents of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    /// The subject alternative names.
    pub names: Names,
    /// The public key.
    pub key: Key,
    /// Requested usages; empty if the request names none.
    pub usages: BTreeSet<String>,
    /// Whether it requests a CA certificate.
    pub is_ca: bool,
}

/// Reads a request in PEM.
///
/// # Errors
/// When it is malformed, or requests something that no policy can allow.
pub fn read(text: &[u8]) -> Result<Csr, Rejection> {
    if text.len() > MAX_BYTES {
        return Err(too_large(text.len()));
    }
    let der = pem::decode(text).map_err(|why| {
        Rejection::new(
            REQUEST_MALFORMED,
            format!("The request is not a valid PEM block: {why}."),
        )
    })?;
    read_der(&der)
}

/// The rejection of a request that is too large to be parsed.
pub fn too_large(length: usize) -> Rejection {
    Rejection::new(
        REQUEST_TOO_LARGE,
        format!("The request has {length} bytes; at most {MAX_BYTES} are allowed."),
    )
}

/// Reads a request in DER.
///
/// # Errors
/// As [`read`].
pub fn read_der(der: &[u8]) -> Result<Csr, Rejection> {
    let malformed = |why: &str| Rejection::new(REQUEST_MALFORMED, why);
    der::check(der)
        .map_err(|why| Rejection::new(REQUEST_MALFORMED, format!("The request is not valid DER: {why}.")))?;
    let Ok((rest, csr)) = X509CertificationRequest::from_der(der) else {
        return Err(malformed("The request is not a PKCS #10 request."));
    };
    if !rest.is_empty() {
        return Err(malformed("Data follows the request."));
    }
    let info = &csr.certification_request_info;
    let mut found = Csr {
        names: Names::default(),
        key: key::read(&info.subject_pki)?,
        usages: BTreeSet::new(),
        is_ca: false,
    };
    let mut extensions: &[X509Extension<'_>] = &[];
    for (count, attribute) in info.iter_attributes().enumerate() {
        let ParsedCriAttribute::ExtensionRequest(request) = attribute.parsed_attribute() else {
            return Err(malformed(
                "The request has an attribute other than the requested extensions.",
            ));
        };
        if count > 0 || der::children(attribute.value) != Some(1) {
            return Err(malformed("The request has more than one list of extensions."));
        }
        extensions = &request.extensions;
    }
    let mut seen = Vec::new();
    for extension in extensions {
        if seen.contains(&&extension.oid) {
            return Err(malformed("The request has the same extension twice."));
        }
        seen.push(&extension.oid);
        read_extension(extension, &mut found)?;
    }
    check_names(&found.names, common_name(&csr)?)?;
    Ok(found)
}

fn common_name<'a>(csr: &'a X509CertificationRequest<'_>) -> Result<Option<&'a str>, Rejection> {
    let mut common_name = None;
    for attribute in csr.certification_request_info.subject.iter_attributes() {
        if attribute.attr_type() != &OID_X509_COMMON_NAME || common_name.is_some() {
            return Err(Rejection::new(SUBJECT_NOT_ALLOWED, SUBJECT_NOT_ALLOWED.means));
        }
        let text = attribute
            .as_str()
            .map_err(|_| Rejection::new(REQUEST_MALFORMED, "The common name is not text."))?;
        common_name = Some(text);
    }
    Ok(common_name)
}

fn read_extension(extension: &X509Extension<'_>, found: &mut Csr) -> Result<(), Rejection> {
    der::check(extension.value).map_err(|why| {
        Rejection::new(
            REQUEST_MALFORMED,
            format!("An extension is not valid DER: {why}."),
        )
    })?;
    match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => {
            if names.general_names.len() > MAX_NAMES {
                return Err(Rejection::new(
                    TOO_MANY_NAMES,
                    format!(
                        "The certificate has {} names; at most {MAX_NAMES} are allowed.",
                        names.general_names.len()
                    ),
                ));
            }
            names
                .general_names
                .iter()
                .try_for_each(|name| read_name(name, &mut found.names))
        }
        ParsedExtension::BasicConstraints(constraints) => {
            found.is_ca |= constraints.ca;
            Ok(())
        }
        ParsedExtension::KeyUsage(usage) => {
            found.usages.extend(key_usages(usage));
            Ok(())
        }
        ParsedExtension::ExtendedKeyUsage(_) => {
            found.usages.extend(extended_usages(extension.value)?);
            Ok(())
        }
        _ => Err(Rejection::new(
            EXTENSION_NOT_ALLOWED,
            format!("Extension {} is not allowed.", extension.oid),
        )),
    }
}

fn read_name(name: &GeneralName<'_>, names: &mut Names) -> Result<(), Rejection> {
    match name {
        GeneralName::DNSName(text) if text.is_ascii() => names.add_dns(text),
        GeneralName::URI(text) if text.is_ascii() => names.add_uri(text),
        GeneralName::IPAddress(bytes) => {
            let ip = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok(),
                16 => <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok(),
                _ => None,
            };
            names.add_ip(ip.ok_or_else(|| {
                Rejection::new(NAME_MALFORMED, "An IP address has neither 4 nor 16 bytes.")
            })?);
            Ok(())
        }
        GeneralName::DNSName(_) | GeneralName::URI(_) | GeneralName::Invalid(..) => {
            Err(Rejection::new(NAME_MALFORMED, "A name is not ASCII text."))
        }
        _ => Err(Rejection::new(NAME_KIND_NOT_ALLOWED, NAME_KIND_NOT_ALLOWED.means)),
    }
}

fn key_usages(usage: &KeyUsage) -> impl Iterator<Item = String> {
    [
        (usage.digital_signature(), "digital signature"),
        (usage.non_repudiation(), "content commitment"),
        (usage.key_encipherment(), "key encipherment"),
        (usage.data_encipherment(), "data encipherment"),
        (usage.key_agreement(), "key agreement"),
        (usage.key_cert_sign(), "cert sign"),
        (usage.crl_sign(), "crl sign"),
        (usage.encipher_only(), "encipher only"),
        (usage.decipher_only(), "decipher only"),
    ]
    .into_iter()
    .filter(|(requested, _)| *requested)
    .map(|(_, name)| name.to_owned())
}

/// From the identifiers themselves: the parser drops unknown ones and duplicates.
fn extended_usages(value: &[u8]) -> Result<Vec<String>, Rejection> {
    let identifiers = der::identifiers(value).ok_or_else(|| {
        Rejection::new(
            REQUEST_MALFORMED,
            "The extended key usages are not a list of object identifiers.",
        )
    })?;
    let named = |oid: &[u8]| {
        let name = match oid {
            [0x55, 0x1d, 0x25, 0x00] => "any",
            [0x2b, 6, 1, 5, 5, 7, 3, last] => match last {
                1 => "server auth",
                2 => "client auth",
                3 => "code signing",
                4 => "email protection",
                5 => "ipsec end system",
                6 => "ipsec tunnel",
                7 => "ipsec user",
                8 => "timestamping",
                9 => "ocsp signing",
                _ => return None,
            },
            [0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 3] => "microsoft sgc",
            [0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 4, 1] => "netscape sgc",
            _ => return None,
        };
        Some(name.to_owned())
    };
    identifiers
        .into_iter()
        .map(|oid| {
            named(oid).ok_or_else(|| {
                Rejection::new(
                    EXTENSION_NOT_ALLOWED,
                    "The request has an extended key usage that cert-manager does not know.",
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
