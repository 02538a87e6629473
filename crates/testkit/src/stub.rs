//! A stub of a capability: it responds as the test defines, hangs, or is unreachable.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use idp_cluster::Cluster;
use idp_core::{
    Problem,
    capability::{Binding, Description, EnvSource, SectionPlan, SectionRequest, ValueFrom},
};
use idp_rpc::capability::{CALLERS, Capability, service};
use idp_runtime::grpc::{GrpcArgs, Server, Service};
use serde_json::json;
use tokio::{runtime::Runtime, sync::broadcast};

use crate::NAMESPACE;

/// How often a hanging call checks whether to continue.
const LOOK: Duration = Duration::from_millis(20);

/// A running stub. It has its own async runtime, so that it can stop at once with all its connections.
pub struct Stub {
    runtime: Option<Runtime>,
    state: Arc<State>,
    address: SocketAddr,
}

type Answer = dyn Fn(&SectionRequest) -> SectionPlan + Send + Sync;

struct State {
    name: String,
    answer: Mutex<Arc<Answer>>,
    hangs: AtomicBool,
    asked: AtomicUsize,
    stale: broadcast::Sender<Vec<String>>,
}

#[derive(Clone)]
struct Served(Arc<State>);

impl Stub {
    /// Serves `capability` at an address, as the cluster's controller `idp-CAPABILITY`. See [`Stub::peer`].
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(
        cluster: &Cluster,
        grpc_address: SocketAddr,
        capability: &str,
        answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static,
    ) -> Self {
        let name = format!("idp-{capability}");
        let tls_dir = idp_cluster::controller_certificates(cluster, &name).expect("certificates");
        let args = GrpcArgs {
            grpc_address,
            tls_dir,
        };
        let state = Arc::new(State {
            name: capability.to_owned(),
            answer: Mutex::new(Arc::new(answer)),
            hangs: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            stale: broadcast::channel(16).0,
        });
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (served, (bound, listening)) = (Served(state.clone()), std::sync::mpsc::channel());
        runtime.spawn(async move {
            let services = vec![Service::new(service(served), CALLERS, idp_rpc::DESCRIPTORS)];
            let server = Server::bind(&args, NAMESPACE, services)
                .await
                .expect("it listens");
            bound.send(server.address()).expect("the test waits");
            let (_never, drain) = tokio::sync::watch::channel(false);
            let ended = server.run(drain).await;
            eprintln!("a stub ended: {ended:?}");
        });
        let address = tokio::task::block_in_place(|| listening.recv()).expect("the stub listens");
        Self {
            runtime: Some(runtime),
            state,
            address,
        }
    }

    /// The value of `--capability` of the WebApplication controller.
    pub fn peer(&self) -> String {
        let name = &self.state.name;
        format!("{name}=idp-{name}@{}", self.address)
    }

    /// Changes the response.
    pub fn answer(&self, answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answer);
    }

    /// Sets whether calls hang.
    pub fn hang(&self, hangs: bool) {
        self.state.hangs.store(hangs, Ordering::SeqCst);
    }

    /// The number of calls of `plan`.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Reports that plans of these namespaces may have changed. Returns whether a client watches.
    pub fn stale(&self, namespaces: &[&str]) -> bool {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned());
        self.state.stale.send(namespaces.collect()).is_ok()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.hang(false);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Capability for Served {
    fn describe(&self) -> Description {
        Description {
            name: self.0.name.clone(),
            version: "0".to_owned(),
            section_schema: json!({}),
        }
    }

    fn plan(&self, request: &SectionRequest) -> SectionPlan {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::block_in_place(|| {
            while self.0.hangs.load(Ordering::SeqCst) {
                std::thread::sleep(LOOK);
            }
        });
        let answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer.clone();
        answer(request)
    }

    fn watch(&self) -> BoxStream<'static, Vec<String>> {
        let stale = self.0.stale.subscribe();
        let stale = futures::stream::unfold(stale, |mut stale| async move {
            stale.recv().await.ok().map(|namespaces| (namespaces, stale))
        });
        stale.boxed()
    }
}

/// A response that sets a variable, without bindings.
pub fn variable(name: &str, value: &str) -> SectionPlan {
    SectionPlan {
        env: vec![EnvSource {
            name: name.to_owned(),
            from: ValueFrom::Literal(value.to_owned()),
        }],
        ..SectionPlan::default()
    }
}

/// Adds a binding of this kind to a response.
pub fn with_binding(mut plan: SectionPlan, kind: &str, request: &SectionRequest) -> SectionPlan {
    plan.bindings.push(Binding {
        kind: kind.to_owned(),
        name: request.application.clone(),
        spec: json!({
            "capability": request.path.rsplit('.').next(),
            "application": request.application,
            "section": request.section,
        }),
    });
    plan
}

/// A response that rejects a field of the section.
pub fn refusal(request: &SectionRequest, field: &str) -> SectionPlan {
    let problem = Problem::reported("NotServed", format!("{field} cannot be served"));
    let path = format!("{}.{field}", request.path);
    SectionPlan::refused(vec![problem.at(path).hint("write another one")])
}
