//! A capability that a test plays: it answers as the test says, hangs, or is not there.

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

/// How often a hanging call looks whether it may go on.
const LOOK: Duration = Duration::from_millis(20);

/// A capability that runs, in a runtime of its own: so that it can be gone at once, with all its connections.
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
    /// Serves `capability` at an address, as the controller `idp-CAPABILITY` of the cluster. See [`Stub::peer`].
    ///
    /// # Panics
    /// When it cannot.
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

    /// What `--capability` of the WebApplication controller says of it.
    pub fn peer(&self) -> String {
        let name = &self.state.name;
        format!("{name}=idp-{name}@{}", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answer);
    }

    /// Whether calls hang.
    pub fn hang(&self, hangs: bool) {
        self.state.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How many plans it was asked for.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Says that plans of these namespaces may have changed; whether anybody listens.
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

/// An answer that sets one variable, and asks for nothing to be made.
pub fn variable(name: &str, value: &str) -> SectionPlan {
    SectionPlan {
        env: vec![EnvSource {
            name: name.to_owned(),
            from: ValueFrom::Literal(value.to_owned()),
        }],
        ..SectionPlan::default()
    }
}

/// The same with a binding of this kind.
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

/// An answer that says no, at a field of the section.
pub fn refusal(request: &SectionRequest, field: &str) -> SectionPlan {
    let problem = Problem::error("NotServed", format!("{field} cannot be served"));
    let path = format!("{}.{field}", request.path);
    SectionPlan::refused(vec![problem.at(path).hint("write another one")])
}
