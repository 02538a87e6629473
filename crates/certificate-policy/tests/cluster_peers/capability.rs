//! The capability over gRPC, as the WebApplication controller calls it.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};

/// Certificates as cert-manager would mount them: one for the server, and one for a client.
pub(crate) fn certificates() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    for name in ["idp-certificate-policy", "idp-webapp", "idp-secrets-bridge"] {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec![name.to_owned(), format!("{name}.idp-system.svc")]).unwrap();
        let uri = format!("spiffe://idp.dev/ns/idp-system/sa/{name}");
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let folder = if name == "idp-certificate-policy" {
            folder.clone()
        } else {
            folder.join(name)
        };
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    }
    folder
}
