//! Certificates from files, reloaded on change.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// How often the files are checked. A kubelet replaces all files of a Secret at once.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The ALPN name of HTTP/2.
const H2: &[u8] = b"h2";

/// Why certificates are invalid.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file has invalid content.
    #[error("{path} has no valid {what}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The expected content.
        what: &'static str,
        /// The error.
        why: String,
    },
}

/// The files of one certificate, in their last valid state.
#[derive(Clone)]
pub struct Credentials {
    folder: PathBuf,
    current: Arc<RwLock<Loaded>>,
}

#[derive(Clone)]
struct Loaded {
    files: Files,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

#[derive(Clone, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Vec<u8>,
}

impl Credentials {
    /// Reads `tls.crt`, `tls.key` and `ca.crt` in `folder`, as in cert-manager's Secrets.
    ///
    /// # Errors
    /// When a file is missing or invalid.
    pub fn load(folder: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            folder: folder.to_owned(),
            current: Arc::new(RwLock::new(Loaded::new(folder, Files::read(folder)?)?)),
        })
    }

    /// Checks the files for as long as it is polled, and loads a change once two checks in a row have seen the same content:
    /// files may be half written, and half a bundle of authorities is valid, too. Invalid content is logged and ignored.
    pub async fn keep_current(self) {
        // The result of the last check, and whether it was handled.
        let (mut last, mut handled) = (Ok(self.read().files), true);
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let seen = Files::read(&self.folder).map_err(|error| error.to_string());
            if seen != last {
                (last, handled) = (seen, false);
                continue;
            }
            if std::mem::replace(&mut handled, true) {
                continue;
            }
            match seen {
                Ok(files) if files == self.read().files => {}
                Ok(files) => self.take_over(files),
                Err(error) => {
                    tracing::warn!(%error, "Cannot read the certificate files; the loaded certificates stay in use.");
                }
            }
        }
    }

    fn take_over(&self, files: Files) {
        match Loaded::new(&self.folder, files) {
            Ok(loaded) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                tracing::info!(folder = %self.folder.display(), "Certificates reloaded.");
            }
            Err(error) => {
                tracing::warn!(%error, "The new certificates are invalid; the old ones stay in use.");
            }
        }
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.read().server
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.read().client
    }

    fn read(&self) -> Loaded {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Files {
    fn read(folder: &Path) -> Result<Self, TlsError> {
        let file = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|error| TlsError::Read { path, error })
        };
        Ok(Self {
            certificate: file("tls.crt")?,
            key: file("tls.key")?,
            authority: file("ca.crt")?,
        })
    }
}

impl Loaded {
    fn new(folder: &Path, files: Files) -> Result<Self, TlsError> {
        let content = |name: &str, what: &'static str| {
            let path = folder.join(name);
            move |why: String| TlsError::Content { path, what, why }
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&files.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| content("tls.crt", "certificates")(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key)
            // Not the parser's message: it might quote the key.
            .map_err(|_| content("tls.key", "private key")("not PEM".to_owned()))?;
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&files.authority) {
            let authority =
                authority.map_err(|error| content("ca.crt", "certificates")(error.to_string()))?;
            roots
                .add(authority)
                .map_err(|error| content("ca.crt", "certificates")(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(content("ca.crt", "certificates")("no certificate".to_owned()));
        }
        let roots = Arc::new(roots);
        let unusable =
            |error: rustls::Error| content("tls.crt", "certificate for tls.key")(error.to_string());
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| content("ca.crt", "certificates")(error.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unusable)?;
        server.alpn_protocols = vec![H2.to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(unusable)?;
        client.alpn_protocols = vec![H2.to_vec()];
        // A resumed session would keep the certificate of the first one.
        client.resumption = rustls::client::Resumption::disabled();
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self {
            files,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }
}
