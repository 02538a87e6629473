//! Our controllers in a thread of the test process, each with its own restricted identity.

use std::{
    collections::BTreeMap,
    future::pending,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{OnceLock, mpsc},
};

use idp_claim_broker::{NAME as BROKER, kinds::Kinds};
use idp_cluster::Cluster;
use idp_runtime::{LeaseLost, Options, Process, grpc::GrpcArgs};
use idp_testkit::{NAMESPACE, TestCluster};
use idp_webapp::{
    NAME as WEBAPP,
    capabilities::{Address, Capabilities},
    controller::WebApplicationController,
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client, Config,
    api::DeleteParams,
    config::{KubeConfigOptions, Kubeconfig},
};

/// What runs with the cluster, in addition to the WebApplication controller.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// The secrets bridge.
    SecretsBridge,
    /// The certificate policy controller, with the local issuers and policies of the repository.
    CertificatePolicy,
    /// All of the platform's controllers, with everything that `up` installs for the local Environment: stores, issuers,
    /// policies, classes and admission policies.
    Platform,
    /// Nothing yet: each of these capabilities has an address at which a test may serve it.
    Nothing(&'static [&'static str]),
}

/// The cluster, and the addresses of the capabilities.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) cluster: Cluster,
    pub(crate) addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Beside {
    /// Starts the controllers, once for each process.
    pub(crate) fn run(self) -> Running {
        static RUNNING: OnceLock<Running> = OnceLock::new();
        let start = || {
            let (send, receive) = mpsc::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(Box::pin(self.control(send)));
            });
            receive.recv().expect("the cluster starts")
        };
        RUNNING.get_or_init(start).clone()
    }

    /// Whether the controller of this capability runs.
    fn runs(self, capability: &str) -> bool {
        match self {
            Self::SecretsBridge => capability == "secrets",
            Self::CertificatePolicy => capability == "certificates",
            Self::Platform => true,
            Self::Nothing(_) => false,
        }
    }

    /// The cluster with the peers that the controllers need. Those that need few leave `peers` to others.
    async fn cluster(self) -> TestCluster {
        match self {
            Self::Nothing(_) => TestCluster::alone().await,
            Self::SecretsBridge => TestCluster::outages().await,
            Self::CertificatePolicy => TestCluster::certificates().await,
            Self::Platform => TestCluster::peers().await,
        }
        .expect("the cluster starts")
    }

    fn addresses(self) -> BTreeMap<&'static str, SocketAddr> {
        let names: &[&'static str] = match self {
            Self::SecretsBridge => &["secrets"],
            Self::CertificatePolicy => &["certificates"],
            Self::Platform => &["secrets", "certificates", "claims"],
            Self::Nothing(names) => names,
        };
        names.iter().map(|name| (*name, free_address())).collect()
    }

    async fn control(self, started: mpsc::Sender<Running>) {
        let test = self.cluster().await;
        if !matches!(self, Self::Nothing(_)) {
            secret_store(&test).await;
        }
        if let Self::Platform = self {
            apply(&test, &PLATFORM).await;
        }
        let addresses = self.addresses();
        let fixed = addresses
            .iter()
            .map(|(capability, address)| Address {
                capability: (*capability).to_owned(),
                server: server_name(capability),
                address: address.to_string(),
            })
            .collect();
        let certificates = idp_cluster::controller_certificates(&test.cluster, WEBAPP).unwrap();
        let capabilities = Capabilities::new(&certificates, NAMESPACE, fixed).unwrap();
        started
            .send(Running {
                cluster: test.cluster.clone(),
                addresses: addresses.clone(),
            })
            .unwrap();
        let webapp = forever(&test, WEBAPP, free_address(), || {
            let mut process = Process::new(WEBAPP);
            process.controller(WebApplicationController {
                capabilities: capabilities.clone(),
                ..WebApplicationController::default()
            });
            process
        });
        let bridge = async {
            if self.runs("secrets") {
                let name = idp_secrets_bridge::NAME;
                forever(&test, name, addresses["secrets"], idp_secrets_bridge::process).await;
            }
        };
        let policy = async {
            if self.runs("certificates") {
                apply(&test, &["secrets/cert-manager/local"]).await;
                let name = idp_certificate_policy::NAME;
                forever(
                    &test,
                    name,
                    addresses["certificates"],
                    idp_certificate_policy::process,
                )
                .await;
            }
        };
        let broker = async {
            if self.runs("claims") {
                forever(&test, BROKER, addresses["claims"], broker).await;
            }
        };
        tokio::join!(
            Box::pin(webapp),
            Box::pin(bridge),
            Box::pin(policy),
            Box::pin(broker)
        );
    }
}

/// The name in the certificate of the controller that serves a capability.
pub(crate) fn server_name(capability: &str) -> String {
    match capability {
        "secrets" => idp_secrets_bridge::NAME.to_owned(),
        "certificates" => idp_certificate_policy::NAME.to_owned(),
        "claims" => BROKER.to_owned(),
        other => format!("idp-{other}"),
    }
}

/// Creates the store of the local Environment and its policies, from the repository.
pub(crate) async fn secret_store(test: &TestCluster) {
    let files = [
        "secrets/external-secrets/local.yaml",
        "platform/admission/external-secrets.yaml",
        "platform/admission/secrets.yaml",
    ];
    apply(test, &files).await;
}

/// Folders of the repository that [`Beside::Platform`] installs, besides the store and the issuers, in order of dependency.
const PLATFORM: [&str; 4] = [
    "platform/compositions/definitions",
    "infrastructure/crossplane/compositions/local",
    "platform/claim-classes/local.yaml",
    "platform/admission",
];

/// The claim broker, with the kinds that it has by default.
fn broker() -> Process {
    idp_claim_broker::process(Kinds::with(&[], &[], &[]))
}

/// Applies files, or all of folders, of the repository.
async fn apply(test: &TestCluster, paths: &[&str]) {
    for path in paths {
        idp_cluster::apply_manifests(&test.client, &manifests(path))
            .await
            .unwrap();
    }
}

/// The manifests of a file or a folder of the repository.
fn manifests(path: &str) -> Vec<idp_cluster::Manifest> {
    let path = idp_testkit::root().join(path);
    let mut files = vec![path.clone()];
    if path.is_dir() {
        files = std::fs::read_dir(path)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
    }
    files
        .into_iter()
        .map(|file| idp_cluster::Manifest {
            text: std::fs::read_to_string(&file).unwrap(),
            source: file.display().to_string(),
        })
        .collect()
}

/// Takes over the Lease of a test program that has ended. Its controllers did not release it, and waiting for its
/// expiry takes 15 s. No other program runs controllers beside the cluster (`lanes.rs` of xtask).
async fn forget_lease(client: &Client, name: &str) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    match leases.delete(name, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => panic!("the Lease {name} cannot be deleted: {error}"),
    }
}

/// A controller that is restarted after it lost its Lease, as a pod would be; that can happen on a busy machine.
async fn forever(test: &TestCluster, name: &str, grpc_address: SocketAddr, process: impl Fn() -> Process) {
    let file = test.controller_kubeconfig(name).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(file).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    let client = Client::try_from(config).unwrap();
    forget_lease(&test.client, name).await;
    let options = Options {
        leader_elect: true,
        lease_namespace: NAMESPACE.to_owned(),
        health_address: (Ipv4Addr::LOCALHOST, 0).into(),
        max_concurrent_reconciles: 8,
        grpc: GrpcArgs {
            grpc_address,
            tls_dir: idp_cluster::controller_certificates(&test.cluster, name).unwrap(),
        },
    };
    loop {
        let run = process().run_until(client.clone(), options.clone(), pending());
        match Box::pin(run).await {
            Err(error) if error.is::<LeaseLost>() => eprintln!("{name} lost its Lease"),
            ended => {
                eprintln!("{name} ended: {ended:?}");
                std::process::exit(101);
            }
        }
    }
}

/// A free address.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
