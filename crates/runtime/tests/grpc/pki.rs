//! Certificates of all kinds, good and bad.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, SerialNumber, date_time_ymd,
};

/// Whoever signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }
}

/// A certificate to be made: good, unless something else is said.
#[derive(Clone)]
pub(crate) struct Leaf {
    name: String,
    uris: Vec<String>,
    serial: u64,
    expired: bool,
}

impl Leaf {
    /// Of a controller of the platform.
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            uris: vec![format!("spiffe://idp.dev/ns/idp-system/sa/{name}")],
            serial: 1,
            expired: false,
        }
    }

    pub(crate) fn uris(mut self, uris: &[&str]) -> Self {
        self.uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        self
    }

    pub(crate) fn serial(mut self, serial: u64) -> Self {
        self.serial = serial;
        self
    }

    pub(crate) fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Certificate and key, in PEM.
    pub(crate) fn sign(&self, authority: &Authority) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![self.name.clone()]).unwrap();
        for uri in &self.uris {
            let uri = SanType::URI(uri.clone().try_into().unwrap());
            params.subject_alt_names.push(uri);
        }
        params.serial_number = Some(SerialNumber::from(self.serial));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if self.expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &authority.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes it in the form of a cert-manager Secret, with who is trusted.
    pub(crate) fn write(&self, signer: &Authority, trusted: &[&Authority], folder: &Path) {
        let (certificate, key) = self.sign(signer);
        fs::create_dir_all(folder).unwrap();
        trust(trusted, folder);
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
    }
}

/// Writes who is trusted.
pub(crate) fn trust(trusted: &[&Authority], folder: &Path) {
    let bundle: String = trusted.iter().map(|authority| authority.pem()).collect();
    fs::write(folder.join("ca.crt"), bundle).unwrap();
}
