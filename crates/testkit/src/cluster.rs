//! The shared clusters.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use idp_cluster::{Addon, Cluster, Event, Manifest, Nodes, Progress, UpOptions};
use k8s_openapi::api::{admissionregistration::v1::ValidatingAdmissionPolicyBinding, core::v1::Namespace};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use tokio::sync::OnceCell;

/// The cluster that most tests share.
pub const CLUSTER: &str = "test";
/// The cluster of tests that need to run the only instance of a controller.
pub const ALONE: &str = "alone";
/// Name of the cluster beside which the real peers run: LocalStack, External Secrets, cert-manager, Crossplane.
pub const PEERS: &str = "peers";
/// The cluster of tests that stop LocalStack or External Secrets, or count requests beside them.
pub const OUTAGES: &str = "outages";
/// Name of the cluster that has cert-manager alone, for the tests of certificates.
pub const CERTIFICATES: &str = "certificates";
/// Namespace of the platform's controllers.
pub const NAMESPACE: &str = "idp-system";
/// Fake nodes of the test cluster. Each runs 110 pods.
const FAKE_NODES: usize = 20;
/// Fake nodes of the clusters with peers, which run few pods.
const PEERS_NODES: usize = 3;

/// The root of the repository.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}

/// A running cluster with the platform's CRDs, roles and local Environment.
pub struct TestCluster {
    /// The cluster itself.
    pub cluster: Cluster,
    /// A client with administrator rights.
    pub client: Client,
}

impl TestCluster {
    /// The shared cluster. Starts it if needed.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn shared() -> Result<Self> {
        Self::start(&Lines).await
    }

    /// The same, with progress.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn start(progress: &dyn Progress) -> Result<Self> {
        Self::named(CLUSTER, Nodes::Both { kwok: FAKE_NODES }, progress).await
    }

    /// The cluster of tests that start and kill controllers, or count their requests. It has fake nodes only, and runs no
    /// controller.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn alone() -> Result<Self> {
        Self::start_alone(&Lines).await
    }

    /// The same, with progress.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn start_alone(progress: &dyn Progress) -> Result<Self> {
        Self::named(ALONE, Nodes::Kwok(FAKE_NODES), progress).await
    }

    /// The cluster with real peers beside it, and fake nodes. It runs no controller of the platform: tests start those
    /// that they need.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn peers() -> Result<Self> {
        Self::start_peers(&Lines).await
    }

    /// The same, with progress.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn start_peers(progress: &dyn Progress) -> Result<Self> {
        let addons = [
            Addon::LocalStack,
            Addon::ExternalSecrets,
            Addon::CertManager,
            Addon::Crossplane,
        ];
        let test = Self::with_addons(PEERS, Nodes::Kwok(PEERS_NODES), &addons, progress).await?;
        test.forget_admission().await?;
        Ok(test)
    }

    /// Deletes the admission policies of earlier test programs, once in each program. Tests apply those that they need.
    async fn forget_admission(&self) -> Result<()> {
        static FORGOTTEN: OnceCell<()> = OnceCell::const_new();
        let forget = || async {
            let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
            for binding in bindings.list(&ListParams::default()).await? {
                let name = binding.metadata.name.unwrap_or_default();
                if name.starts_with("idp-") {
                    bindings.delete(&name, &DeleteParams::default()).await?;
                }
            }
            Ok(())
        };
        FORGOTTEN.get_or_try_init(forget).await.copied()
    }

    /// The cluster with LocalStack and External Secrets beside it, and fake nodes. One test at a time may stop these peers.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn outages() -> Result<Self> {
        Self::start_outages(&Lines).await
    }

    /// The same, with progress.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn start_outages(progress: &dyn Progress) -> Result<Self> {
        let addons = [Addon::LocalStack, Addon::ExternalSecrets];
        Self::with_addons(OUTAGES, Nodes::Kwok(PEERS_NODES), &addons, progress).await
    }

    /// The cluster with cert-manager only, and fake nodes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn certificates() -> Result<Self> {
        Self::start_certificates(&Lines).await
    }

    /// The same, reporting to `progress`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_certificates(progress: &dyn Progress) -> Result<Self> {
        Self::with_addons(
            CERTIFICATES,
            Nodes::Kwok(PEERS_NODES),
            &[Addon::CertManager],
            progress,
        )
        .await
    }

    /// A cluster of another name with the same content.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn named(name: &str, nodes: Nodes, progress: &dyn Progress) -> Result<Self> {
        Self::with_addons(name, nodes, &[], progress).await
    }

    /// The same, with add-ons.
    ///
    /// # Errors
    /// When the cluster cannot be started.
    pub async fn with_addons(
        name: &str,
        nodes: Nodes,
        addons: &[Addon],
        progress: &dyn Progress,
    ) -> Result<Self> {
        if !matches!(nodes, Nodes::Kwok(_)) {
            idp_cluster::install_packages(progress).await?;
        }
        let options = UpOptions {
            name: name.to_owned(),
            nodes,
            addons: addons.to_vec(),
            manifests: platform_manifests()?,
            ..UpOptions::default()
        };
        let cluster = idp_cluster::up(&options, progress).await?;
        let client = cluster.client().await?;
        Ok(Self { cluster, client })
    }

    /// Creates a namespace that enforces the Pod Security level `restricted`. Its name starts with `prefix`.
    ///
    /// # Errors
    /// When the API server rejects the request.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() % 100_000_000;
        let name = format!("{prefix}-{time:x}{:x}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.namespace_named(&name).await?;
        Ok(name)
    }

    /// The same, with a given name.
    ///
    /// # Errors
    /// When the API server rejects the request.
    pub async fn namespace_named(&self, name: &str) -> Result<()> {
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(
                    [(
                        "pod-security.kubernetes.io/enforce".to_owned(),
                        "restricted".to_owned(),
                    )]
                    .into(),
                ),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        Ok(())
    }

    /// Deletes a namespace without waiting until it is gone.
    ///
    /// # Errors
    /// When the API server rejects the request.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        Api::<Namespace>::all(self.client.clone())
            .delete(name, &DeleteParams::background())
            .await?;
        Ok(())
    }

    /// A kubeconfig with the rights of the controller `name`.
    ///
    /// # Errors
    /// When the service account cannot be created.
    pub async fn controller_kubeconfig(&self, name: &str) -> Result<PathBuf> {
        idp_cluster::controller_kubeconfig(&self.cluster, name, NAMESPACE).await
    }
}

/// The platform's manifests in the repository: CRDs, roles of controllers and people, and the local Environment.
///
/// # Errors
/// When a file cannot be read.
pub fn platform_manifests() -> Result<Vec<Manifest>> {
    let mut files = vec![root().join("platform/environments/local.yaml")];
    files.extend(entries(&root().join("platform/crds"))?);
    files.extend(entries(&root().join("platform/access"))?);
    for operator in entries(&root().join("platform/operators"))? {
        files.extend(entries(&operator)?);
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Ok(Manifest {
                source: file.display().to_string(),
                text,
            })
        })
        .collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| folder.display().to_string())
}

/// Writes progress to the test's stderr.
pub(crate) struct Lines;

impl Progress for Lines {
    fn report(&self, event: Event<'_>) {
        if let Event::Finished { step, elapsed } = event {
            eprintln!("✓ {step} ({:.1} s)", elapsed.as_secs_f32());
        }
    }
}
