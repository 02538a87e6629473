//! The cluster, the controller, and for each test two namespaces, an issuer and what it asks of them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use idp_api::{
    CertificateBinding, CertificateBindingSpec, CertificatePolicy,
    certificate_binding::{BoundHost, IssuerRef},
};
use idp_certificate_policy::{binding::NAME, kinds::CERTIFICATE, request::CertificateRequest};
use idp_cluster::{Manifest, apply_manifests};
use idp_core::{Kind, condition::READY};
use idp_testkit::{Controller, TestCluster, eventually_within, root};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// For whatever passes several controllers, on two busy cores.
pub(crate) const LONG: Duration = Duration::from_secs(120);
/// For what must be seen within seconds.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Tests that stop cert-manager or the controller are alone; all others run beside each other.
static OTHERS: RwLock<()> = RwLock::const_new(());

enum Guard {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
    /// Another lab of the same test has one.
    Others,
}

/// The controller that all tests share.
pub(crate) struct Running {
    pub(crate) controller: Controller,
    /// Folder of its certificates, and of others below it.
    pub(crate) tls: PathBuf,
}

pub(crate) struct Lab {
    pub(crate) test: TestCluster,
    pub(crate) client: Client,
    /// The application's namespace.
    pub(crate) ns: String,
    /// The gateway's namespace.
    pub(crate) gateway: String,
    /// A ClusterIssuer of this test's own.
    pub(crate) issuer: String,
    running: Option<Arc<Running>>,
    _guard: Guard,
}

impl Lab {
    pub(crate) async fn enter() -> Self {
        let guard = OTHERS.read().await;
        Self::new(Guard::Shared { _guard: guard }).await
    }

    pub(crate) async fn alone() -> Self {
        let guard = OTHERS.write().await;
        Self::new(Guard::Alone { _guard: guard }).await
    }

    /// A second lab of the same test: one guard is enough, and waiting for another could be for ever.
    pub(crate) async fn another(&self) -> Self {
        Self::new(Guard::Others).await
    }

    async fn new(guard: Guard) -> Self {
        let test = TestCluster::peers().await.expect("the cluster starts");
        let running = running(&test).await;
        let ns = test.namespace("cert").await.unwrap();
        let gateway = test.namespace("gateway").await.unwrap();
        let client = test.client.clone();
        let issuer = issuer(&client, &ns).await;
        Self {
            test,
            client,
            ns,
            gateway,
            issuer,
            running: Some(running),
            _guard: guard,
        }
    }

    /// The controller.
    pub(crate) fn running(&self) -> &Running {
        self.running.as_deref().expect("it runs")
    }

    /// Kills the controller: only for tests that are alone.
    pub(crate) fn kill(&mut self) -> PathBuf {
        let running = self.running.take().expect("it runs");
        let tls = running.tls.clone();
        Arc::into_inner(running)
            .expect("nobody else has it")
            .controller
            .kill()
            .unwrap();
        tls
    }

    /// A domain of this test's own.
    pub(crate) fn domain(&self) -> String {
        format!("{}.test", self.ns)
    }

    pub(crate) fn host(&self, name: &str) -> String {
        format!("{name}.{}", self.domain())
    }

    /// A policy that lets this test's namespaces have names below its domain from its issuer, changed by `more`.
    pub(crate) async fn policy(&self, more: Value) -> CertificatePolicy {
        self.policy_named("", more).await
    }

    pub(crate) async fn policy_named(&self, suffix: &str, more: Value) -> CertificatePolicy {
        let mut spec = json!({
            "namespaces": [{"matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.ns],
            }]}],
            "names": {"dns": {"suffixes": [self.domain()]}},
            "issuers": [{"name": self.issuer}],
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let name = format!("{}{suffix}", self.ns);
        let policy = json!({
            "apiVersion": "idp.dev/v1alpha1", "kind": "CertificatePolicy",
            "metadata": {"name": name}, "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        self.policies()
            .patch(&name, &params, &Patch::Apply(&policy))
            .await
            .unwrap()
    }

    pub(crate) fn policies(&self) -> Api<CertificatePolicy> {
        Api::all(self.client.clone())
    }

    pub(crate) fn bindings(&self, namespace: &str) -> Api<CertificateBinding> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn requests(&self, namespace: &str) -> Api<CertificateRequest> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn certificates(&self, namespace: &str) -> Api<DynamicObject> {
        dynamic(&self.client, CERTIFICATE, namespace)
    }

    pub(crate) async fn bind(&self, namespace: &str, application: &str, hosts: &[&str]) {
        let hosts = hosts.iter().enumerate();
        let spec = CertificateBindingSpec {
            application: application.to_owned(),
            issuer: IssuerRef {
                name: self.issuer.clone(),
                kind: "ClusterIssuer".to_owned(),
            },
            secret_namespace: self.gateway.clone(),
            hosts: hosts
                .map(|(index, host)| BoundHost {
                    host: (*host).to_owned(),
                    path: format!("spec.routes[{index}].host"),
                })
                .collect(),
        };
        let binding = CertificateBinding::new(application, spec);
        self.bindings(namespace)
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
    }

    /// Waits until a binding is as `check` says.
    pub(crate) async fn binding_becomes(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
        what: &str,
        check: impl Fn(&CertificateBinding) -> bool,
    ) -> CertificateBinding {
        eventually_within(within, what, || async {
            let binding = self.bindings(namespace).get(name).await?;
            ensure!(check(&binding), "{}", json!(binding.status));
            Ok(binding)
        })
        .await
    }

    pub(crate) async fn binding_gone(&self, namespace: &str, name: &str) {
        eventually_within(LONG, "the binding goes", || async {
            let found = self.bindings(namespace).get_opt(name).await?;
            ensure!(found.is_none(), "it is still there");
            Ok(())
        })
        .await;
    }

    /// A Certificate as somebody would write it, changed by `more`.
    pub(crate) async fn certificate(&self, name: &str, more: Value) -> DynamicObject {
        let mut spec = json!({
            "dnsNames": [self.host(name)],
            "secretName": format!("{name}-tls"),
            "issuerRef": {"name": self.issuer, "kind": "ClusterIssuer"},
            "usages": ["digital signature", "server auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256},
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let object = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec,
        });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        self.certificates(&self.ns)
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// A bare request with this PEM text.
    pub(crate) async fn request(
        &self,
        name: &str,
        pem: &str,
        more: Value,
    ) -> Result<CertificateRequest, kube::Error> {
        let mut spec = json!({
            "request": STANDARD.encode(pem),
            "issuerRef": {"name": self.issuer, "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "usages": ["digital signature", "server auth"],
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let request = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec,
        });
        let api: Api<DynamicObject> = dynamic(
            &self.client,
            idp_certificate_policy::kinds::CERTIFICATE_REQUEST,
            &self.ns,
        );
        api.create(&PostParams::default(), &serde_json::from_value(request).unwrap())
            .await?;
        self.requests(&self.ns).get(name).await
    }

    /// Reason and message with which the request of this name, or of the Certificate of this name, is denied.
    pub(crate) async fn denied(&self, name: &str) -> (String, String) {
        let (reason, message) = self.decided(name, "Denied").await;
        (reason, message)
    }

    pub(crate) async fn approved(&self, name: &str) -> (String, String) {
        self.decided(name, "Approved").await
    }

    async fn decided(&self, name: &str, condition: &str) -> (String, String) {
        eventually_within(LONG, &format!("{name} is {condition}"), || async {
            let requests = self.requests(&self.ns).list(&Default::default()).await?;
            let found = requests
                .iter()
                .filter(|request| request.name_any() == name || owner(request) == Some(name.to_owned()))
                .filter_map(|request| request.status.as_ref())
                .flat_map(|status| &status.conditions)
                .find(|found| found.type_ == condition);
            let found = found.ok_or_else(|| anyhow!("{}", describe(&requests.items)))?;
            ensure!(found.status == "True");
            let text = |key: &str| found.rest[key].as_str().unwrap_or_default().to_owned();
            Ok((text("reason"), text("message")))
        })
        .await
    }

    /// The Secret's certificate, as PEM.
    pub(crate) async fn issued(&self, namespace: &str, secret: &str, within: Duration) -> String {
        eventually_within(within, &format!("secret {namespace}/{secret}"), || async {
            let secret = self.secrets(namespace).get(secret).await?;
            let data = secret.data.unwrap_or_default();
            let certificate = data
                .get("tls.crt")
                .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
            certificate
                .filter(|text| !text.is_empty())
                .ok_or_else(|| anyhow!("no certificate in it"))
        })
        .await
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn delete_policy(&self, name: &str) {
        let _ = self.policies().delete(name, &DeleteParams::default()).await;
    }

    /// Takes away what is not in the namespaces, so that later tests are not slowed down by it.
    pub(crate) async fn clean(self) {
        for namespace in [&self.ns, &self.gateway] {
            let bindings = self.bindings(namespace);
            let _ = bindings
                .delete_collection(&DeleteParams::default(), &Default::default())
                .await;
            eventually_within(LONG, "bindings go", || async {
                let left = bindings.list(&Default::default()).await?.items.len();
                ensure!(left == 0, "{left} are left");
                Ok(())
            })
            .await;
        }
        for policy in self.policies().list(&Default::default()).await.unwrap() {
            if policy.name_any().starts_with(&self.ns) {
                self.delete_policy(&policy.name_any()).await;
            }
        }
        let issuers: Api<DynamicObject> = cluster_issuers(&self.client);
        let _ = issuers.delete(&self.issuer, &DeleteParams::default()).await;
        for namespace in [&self.ns, &self.gateway] {
            self.test.delete_namespace(namespace).await.unwrap();
        }
    }
}

fn owner(request: &CertificateRequest) -> Option<String> {
    request.owner_references().first().map(|owner| owner.name.clone())
}

fn describe(requests: &[CertificateRequest]) -> String {
    let all = requests.iter().map(|request| {
        format!(
            "{}: {}",
            request.name_any(),
            json!(request.status.as_ref().map(|status| &status.conditions))
        )
    });
    all.collect::<Vec<_>>().join("; ")
}

/// Whether a binding is Ready for what it says now.
pub(crate) fn is_ready(binding: &CertificateBinding) -> bool {
    let Some(status) = &binding.status else {
        return false;
    };
    status.observed_generation == binding.metadata.generation
        && status
            .conditions
            .iter()
            .any(|condition| condition.type_ == READY && condition.is_true())
}

/// Reasons of a binding's problems.
pub(crate) fn reasons(binding: &CertificateBinding) -> Vec<&str> {
    let problems = binding.status.iter().flat_map(|status| &status.problems);
    problems.map(|problem| problem.reason.as_str()).collect()
}

pub(crate) fn dynamic(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

fn cluster_issuers(client: &Client) -> Api<DynamicObject> {
    let kind = Kind::cluster("cert-manager.io", "v1", "ClusterIssuer", "clusterissuers");
    Api::all_with(client.clone(), &kind.api_resource())
}

/// A CA of the test's own: cert-manager finds its Secret where those of ClusterIssuers are.
async fn issuer(client: &Client, ns: &str) -> String {
    let name = format!("ca-{ns}");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name.as_str());
    let certificate = params.self_signed(&key).unwrap();
    let secret = json!({
        "metadata": {"name": name}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate.pem(), "tls.key": key.serialize_pem()},
    });
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "cert-manager");
    secrets
        .create(&PostParams::default(), &serde_json::from_value(secret).unwrap())
        .await
        .unwrap();
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": {"name": name}, "spec": {"ca": {"secretName": name}},
    });
    cluster_issuers(client)
        .create(&PostParams::default(), &serde_json::from_value(issuer).unwrap())
        .await
        .unwrap();
    name
}

/// The controller, started by the first of the tests that run now, and ended with the last.
async fn running(test: &TestCluster) -> Arc<Running> {
    static RUNNING: Mutex<Weak<Running>> = Mutex::const_new(Weak::new());
    let mut running = RUNNING.lock().await;
    if let Some(running) = running.upgrade() {
        return running;
    }
    apply_manifests(
        &test.client,
        &files(&["platform/crds", "platform/operators/idp-certificate-policy"]),
    )
    .await
    .unwrap();
    let tls = super::capability::certificates();
    let started = Arc::new(Running {
        controller: start(test, &tls).await,
        tls,
    });
    *running = Arc::downgrade(&started);
    started
}

/// A controller process that leads, with complete caches.
pub(crate) async fn start(test: &TestCluster, tls: &Path) -> Controller {
    let log =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificate-policy-{}.log", std::process::id()));
    let kubeconfig = test.controller_kubeconfig(NAME).await.unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_idp-certificate-policy"));
    let tls = format!("--tls-dir={}", tls.display());
    let _ = std::fs::remove_file(&log);
    let controller =
        Controller::start(program, &kubeconfig, &log, &["--grpc-address=127.0.0.1:0", &tls]).unwrap();
    eventually_within(LONG, "the controller leads", || async {
        ensure!(controller.leads().await, "its log: {}", controller.log());
        Ok(())
    })
    .await;
    controller
}

/// The manifests of the repository in these folders.
pub(crate) fn files(folders: &[&str]) -> Vec<Manifest> {
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| Manifest {
            text: std::fs::read_to_string(&file).unwrap(),
            source: file.display().to_string(),
        })
        .collect()
}
