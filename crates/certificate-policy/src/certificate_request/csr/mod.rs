//! Certificate signing requests: read by ourselves, from people whom we do not trust.
//!
//! What is read here decides what somebody else signs, and that somebody reads the same bytes with another parser. So
//! everything that two parsers could understand differently is refused: text around the PEM block, bytes after a
//! value, an attribute or extension that comes twice, one that is not known. Signatures are not checked: every issuer
//! does that.

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

use crate::certificate_request::requirements::{Flaw, Key, MOST_NAMES, Names, check_names};

/// Longest PEM text that is read.
pub const LONGEST: usize = 64 * 1024;

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    /// What the certificate is to be for.
    pub names: Names,
    /// The key.
    pub key: Key,
    /// Usages that it asks for; empty when it says nothing of them.
    pub usages: BTreeSet<String>,
    /// Whether it asks for a certificate that may sign others.
    pub is_ca: bool,
}

/// Reads a PEM text.
///
/// # Errors
/// When it is no request, is one that cannot be judged, or asks for what no policy can allow.
pub fn read(text: &[u8]) -> Result<Csr, Flaw> {
    if text.len() > LONGEST {
        return Err(too_large(text.len()));
    }
    let der = pem::decode(text).map_err(|why| Flaw::new(MALFORMED, format!("it is no PEM block: {why}")))?;
    read_der(&der)
}

/// The flaw of a text that is not even looked at.
pub fn too_large(length: usize) -> Flaw {
    Flaw::new(
        "RequestTooLarge",
        format!("the request has {length} bytes; {LONGEST} are read"),
    )
}

const MALFORMED: &str = "RequestMalformed";

/// Reads the request itself.
///
/// # Errors
/// As [`read`].
pub fn read_der(der: &[u8]) -> Result<Csr, Flaw> {
    let malformed = |why: &str| Flaw::new(MALFORMED, why);
    der::check(der).map_err(|why| Flaw::new(MALFORMED, format!("it is no DER: {why}")))?;
    let Ok((rest, csr)) = X509CertificationRequest::from_der(der) else {
        return Err(malformed("it is no PKCS #10 request"));
    };
    if !rest.is_empty() {
        return Err(malformed("something follows it"));
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
                "it has an attribute other than the extensions it asks for",
            ));
        };
        if count > 0 || der::children(attribute.value) != Some(1) {
            return Err(malformed("it asks for extensions more than once"));
        }
        extensions = &request.extensions;
    }
    let mut seen = Vec::new();
    for extension in extensions {
        if seen.contains(&&extension.oid) {
            return Err(malformed("it asks for one extension twice"));
        }
        seen.push(&extension.oid);
        read_extension(extension, &mut found)?;
    }
    check_names(&found.names, common_name(&csr)?)?;
    Ok(found)
}

fn common_name<'a>(csr: &'a X509CertificationRequest<'_>) -> Result<Option<&'a str>, Flaw> {
    let mut common_name = None;
    for attribute in csr.certification_request_info.subject.iter_attributes() {
        if attribute.attr_type() != &OID_X509_COMMON_NAME || common_name.is_some() {
            return Err(Flaw::new(
                "SubjectNotAllowed",
                "its subject holds more than one common name: who reads certificates may take it for a right",
            ));
        }
        let text = attribute
            .as_str()
            .map_err(|_| Flaw::new(MALFORMED, "its common name is no text"))?;
        common_name = Some(text);
    }
    Ok(common_name)
}

fn read_extension(extension: &X509Extension<'_>, found: &mut Csr) -> Result<(), Flaw> {
    der::check(extension.value)
        .map_err(|why| Flaw::new(MALFORMED, format!("an extension is no DER: {why}")))?;
    match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => {
            if names.general_names.len() > MOST_NAMES {
                return Err(Flaw::new(
                    "TooManyNames",
                    format!(
                        "it is for {} names; {MOST_NAMES} are allowed",
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
        _ => Err(Flaw::new(
            "ExtensionNotAllowed",
            format!(
                "it asks for extension {}, which no policy can allow",
                extension.oid
            ),
        )),
    }
}

fn read_name(name: &GeneralName<'_>, names: &mut Names) -> Result<(), Flaw> {
    match name {
        GeneralName::DNSName(text) if text.is_ascii() => names.add_dns(text),
        GeneralName::URI(text) if text.is_ascii() => names.add_uri(text),
        GeneralName::IPAddress(bytes) => {
            let ip = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok(),
                16 => <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok(),
                _ => None,
            };
            names.add_ip(ip.ok_or_else(|| Flaw::new("NameMalformed", "an address has a strange length"))?);
            Ok(())
        }
        GeneralName::DNSName(_) | GeneralName::URI(_) | GeneralName::Invalid(..) => Err(Flaw::new(
            "NameMalformed",
            "one of its names is no text of its kind",
        )),
        _ => Err(Flaw::new(
            "NameKindNotAllowed",
            "it is for a name that is neither DNS name, address nor URI; no policy can allow that",
        )),
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
    .filter(|(asked, _)| *asked)
    .map(|(_, name)| name.to_owned())
}

/// By the identifiers themselves: the parser keeps those that it has names for and forgets how often each came.
fn extended_usages(value: &[u8]) -> Result<Vec<String>, Flaw> {
    let identifiers = der::identifiers(value)
        .ok_or_else(|| Flaw::new(MALFORMED, "its extended key usages are no list of identifiers"))?;
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
                Flaw::new(
                    "ExtensionNotAllowed",
                    "it asks for an extended key usage that has no name in cert-manager",
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
