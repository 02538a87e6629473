//! Certificates of the broker and its callers.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

/// Writes a folder with `ca.crt`, `tls.crt` and `tls.key` for each of these controllers below `folder`.
pub(crate) fn write(folder: &Path, controllers: &[&str]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    for name in controllers {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![(*name).to_owned(), "localhost".to_owned()]).unwrap();
        let identity = format!("spiffe://idp.dev/ns/idp-system/sa/{name}");
        params
            .subject_alt_names
            .push(SanType::URI(identity.try_into().unwrap()));
        let certificate = params.signed_by(&key, &ca).unwrap();
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
        fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    }
}
