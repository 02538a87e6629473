//! A capability that a test plays: it answers as the test says, hangs, or is not there.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use idp_core::{
    Problem,
    capability::{Binding, Description, EnvSource, SectionPlan, SectionRequest, ValueFrom},
};
use idp_rpc::capability::{CALLERS, Capability, service};
use idp_runtime::grpc::{GrpcArgs, Server, Service};
use idp_testkit::NAMESPACE;
use serde_json::json;
use tokio::{runtime::Runtime, sync::broadcast};

use crate::{Lab, beside::server_name};

/// How often a hanging call looks whether it may go on.
const LOOK: Duration = Duration::from_millis(20);

/// A capability that runs, in a runtime of its own: so that it can be gone at once, with all its connections.
pub struct Stub {
    runtime: Option<Runtime>,
    state: Arc<State>,
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
    /// Serves `capability` of the lab's cluster.
    pub fn start(
        lab: &Lab,
        capability: &str,
        answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static,
    ) -> Self {
        let cluster = &lab.test.cluster;
        let args = GrpcArgs {
            grpc_address: lab.addresses[capability],
            tls_dir: idp_cluster::controller_certificates(cluster, &server_name(capability)).unwrap(),
        };
        Self::serve(args, capability, answer).0
    }

    /// Serves `capability` with these certificates; also where it listens.
    pub fn serve(
        args: GrpcArgs,
        capability: &str,
        answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static,
    ) -> (Self, SocketAddr) {
        let state = Arc::new(State {
            name: capability.to_owned(),
            answer: Mutex::new(Arc::new(answer)),
            hangs: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            stale: broadcast::channel(16).0,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (served, (bound, listening)) = (Served(state.clone()), std::sync::mpsc::channel());
        runtime.spawn(async move {
            let services = vec![Service::new(service(served), CALLERS, idp_rpc::DESCRIPTORS)];
            let server = Server::bind(&args, NAMESPACE, services).await.unwrap();
            bound.send(server.address()).unwrap();
            let (_never, drain) = tokio::sync::watch::channel(false);
            let ended = server.run(drain).await;
            eprintln!("a stub ended: {ended:?}");
        });
        let address = tokio::task::block_in_place(|| listening.recv()).expect("the stub listens");
        let runtime = Some(runtime);
        (Self { runtime, state }, address)
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answer: impl Fn(&SectionRequest) -> SectionPlan + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap() = Arc::new(answer);
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
        let answer = self.0.answer.lock().unwrap().clone();
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
