//! Certificates that change while calls go on.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use idp_runtime::grpc::Credentials;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::sleep};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    lab::{Lab, SERVER, WEBAPP, anywhere, eventually, handshake, peer, plan},
    pki::{Authority, Leaf, trust},
};

/// How many calls are under way at a time.
const CALLERS: usize = 8;

fn serial(certificate: &CertificateDer<'_>) -> u64 {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let bytes = certificate.tbs_certificate.raw_serial();
    bytes
        .iter()
        .fold(0, |serial, byte| serial << 8 | u64::from(*byte))
}

/// Serial of the certificate that the server shows to a new connection.
async fn shown(address: SocketAddr, signer: &Authority, trusted: &[&Authority]) -> Option<u64> {
    let certificate = Leaf::of(WEBAPP).sign(signer);
    let stream = handshake(address, trusted, Some(certificate)).await.ok()?;
    stream.get_ref().1.peer_certificates()?.first().map(serial)
}

/// A server that does nothing but note the serials of its callers' certificates.
async fn spy(signer: &Authority, trusted: &[&Authority]) -> (SocketAddr, Arc<Mutex<Vec<u64>>>) {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots
            .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
            .unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let (certificate, key) = Leaf::of(SERVER).sign(signer);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (seen, acceptor) = (Arc::default(), TlsAcceptor::from(Arc::new(config)));
    let listener = TcpListener::bind(anywhere()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serials: Arc<Mutex<Vec<u64>>> = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let certificates = stream.get_ref().1.peer_certificates().unwrap();
                serials.lock().unwrap().push(serial(&certificates[0]));
            }
        }
    });
    (address, seen)
}

/// Calls all the time, until told to stop; counts.
struct Calls {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU32>,
    callers: Vec<JoinHandle<()>>,
}

impl Calls {
    fn start(address: SocketAddr, credentials: &Credentials) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let peer = peer(address, credentials);
        let callers = (0..CALLERS).map(|_| {
            let (stop, made, peer) = (stop.clone(), made.clone(), peer.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    plan(&peer, "shop").await.expect("no call is lost");
                    made.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(20)).await;
                }
            })
        });
        let callers = callers.collect();
        Self { stop, made, callers }
    }

    async fn stop(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
        self.made.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_across_rotations() {
    let lab = Lab::new();
    let (one, two) = (&lab.authority, &Authority::new("two"));
    let (server, client) = (lab.path("server"), lab.path("client"));
    Leaf::of(WEBAPP).write(one, &[one], &client);
    let credentials = Credentials::load(&client).unwrap();
    tokio::spawn(credentials.clone().keep_current());
    // Connections end all the time: the next one is made with the certificates of then.
    let bound = lab
        .bind(anywhere())
        .await
        .connection_age(Duration::from_millis(300));
    let address = bound.address();
    let (_drain, drained) = watch::channel(false);
    tokio::spawn(bound.run(drained));
    let calls = Calls::start(address, &credentials);

    let rotate = async |serial: u64, signer: &Authority, trusted: &[&Authority]| {
        Leaf::of(SERVER).serial(serial).write(signer, trusted, &server);
        Leaf::of(WEBAPP).serial(serial).write(signer, trusted, &client);
        eventually("the server shows the new certificate", async || {
            shown(address, signer, trusted).await == Some(serial)
        })
        .await;
        let (spied, seen) = spy(signer, trusted).await;
        eventually("the client shows the new certificate", async || {
            let _ = plan(&peer(spied, &credentials), "spied").await;
            seen.lock().unwrap().last() == Some(&serial)
        })
        .await;
    };
    rotate(2, one, &[one]).await;
    // The authority: everybody trusts both before anybody shows a certificate of the new one.
    trust(&[one, two], &server);
    trust(&[one, two], &client);
    sleep(Duration::from_millis(2_500)).await;
    rotate(3, two, &[one, two]).await;
    rotate(4, two, &[two]).await;
    assert_eq!(
        shown(address, one, &[one]).await,
        None,
        "the old authority is nobody"
    );

    let made = calls.made.clone();
    eventually("a thousand calls", async || made.load(Ordering::SeqCst) >= 1_000).await;
    assert!(calls.stop().await >= 1_000);
}

/// The server goes on showing the first certificate for longer than it takes to notice another.
async fn stays(address: SocketAddr, lab: &Lab, what: &str) {
    for _ in 0..10 {
        let shown = shown(address, &lab.authority, &[&lab.authority]).await;
        assert_eq!(shown, Some(1), "{what}");
        sleep(Duration::from_millis(300)).await;
    }
}

fn write(folder: &Path, file: &str, content: &str) {
    fs::write(folder.join(file), content).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_rotation_is_ignored_until_it_is_whole() {
    let lab = Lab::new();
    let (server, folder) = (lab.serve().await, lab.path("server"));
    let (certificate, key) = Leaf::of(SERVER).serial(2).sign(&lab.authority);
    write(&folder, "tls.crt", &certificate);
    stays(server.address, &lab, "a certificate without its key").await;
    write(&folder, "tls.key", &key[..key.len() / 2]);
    stays(server.address, &lab, "half a key").await;
    fs::remove_file(folder.join("tls.key")).unwrap();
    stays(server.address, &lab, "no key").await;
    plan(&lab.peer(server.address, WEBAPP), "shop").await.unwrap();
    write(&folder, "tls.key", &key);
    eventually("the whole certificate", async || {
        shown(server.address, &lab.authority, &[&lab.authority]).await == Some(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_while_authorities_are_written() {
    let lab = Lab::new();
    let (server, folder) = (lab.serve().await, lab.path("server"));
    let two = Authority::new("two");
    let (old, new) = (lab.authority.pem(), two.pem());
    // A bundle that ends after its first certificate is whole to whoever reads it. It lasts shorter than a look, and
    // the next one comes later than a look.
    for _ in 0..4 {
        for (bundle, lasts) in [(&new, 400), (&format!("{new}{old}"), 1_200)] {
            write(&folder, "ca.crt", bundle);
            let written = Instant::now();
            while written.elapsed() < Duration::from_millis(lasts) {
                let shown = shown(server.address, &lab.authority, &[&lab.authority]).await;
                assert_eq!(shown, Some(1), "those of the old authority get in");
                sleep(Duration::from_millis(95)).await;
            }
        }
    }
    write(&folder, "ca.crt", "");
    stays(server.address, &lab, "no authority at all").await;
}
