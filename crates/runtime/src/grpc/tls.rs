//! Certificates from files, reloaded when these change.

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

/// How often the files are looked at. A kubelet replaces all of a Secret's files at once.
const LOOK: Duration = Duration::from_secs(1);
/// What HTTP/2 is called in TLS.
const H2: &[u8] = b"h2";

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no usable {what}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// The files of one certificate, as last read in a usable state.
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
    /// Reads `tls.crt`, `tls.key` and `ca.crt` in `folder`: the form of cert-manager's Secrets.
    ///
    /// # Errors
    /// When a file is missing, or holds something else.
    pub fn load(folder: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            folder: folder.to_owned(),
            current: Arc::new(RwLock::new(Loaded::new(folder, Files::read(folder)?)?)),
        })
    }

    /// Looks at the files for as long as it is polled, and takes over what has changed, once two looks in a row have
    /// seen the same: files may be half written, and half a bundle of authorities is a usable one, too. What cannot be
    /// used is logged and left alone.
    pub async fn keep_current(self) {
        // What the last look saw, and whether it has been dealt with.
        let (mut last, mut dealt_with) = (Ok(self.read().files), true);
        loop {
            tokio::time::sleep(LOOK).await;
            let seen = Files::read(&self.folder).map_err(|error| error.to_string());
            if seen != last {
                (last, dealt_with) = (seen, false);
                continue;
            }
            if std::mem::replace(&mut dealt_with, true) {
                continue;
            }
            match seen {
                Ok(files) if files == self.read().files => {}
                Ok(files) => self.take_over(files),
                Err(error) => tracing::warn!(%error, "certificates are gone; those that were read stay"),
            }
        }
    }

    fn take_over(&self, files: Files) {
        match Loaded::new(&self.folder, files) {
            Ok(loaded) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                tracing::info!(folder = %self.folder.display(), "certificates reloaded");
            }
            Err(error) => {
                tracing::warn!(%error, "the certificates have changed, but not to usable ones; the old ones stay");
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
            // Not the parser's own words: they might quote the key.
            .map_err(|_| content("tls.key", "private key")("it is not PEM".to_owned()))?;
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&files.authority) {
            let authority =
                authority.map_err(|error| content("ca.crt", "certificates")(error.to_string()))?;
            roots
                .add(authority)
                .map_err(|error| content("ca.crt", "certificates")(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(content("ca.crt", "certificates")("it holds none".to_owned()));
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
        // A resumed session would go on with the certificate of the first one.
        client.resumption = rustls::client::Resumption::disabled();
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self {
            files,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }
}
