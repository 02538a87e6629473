//! A capability that does as the application's name says.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{StreamExt, stream::BoxStream};
use idp_core::capability::{Description, SectionPlan, SectionRequest};
use idp_rpc::proto::capability::{
    DescribeRequest, DescribeResponse, PlanRequest, PlanResponse, WatchRequest, WatchResponse,
    capability_server::Capability,
};
use opentelemetry::trace::TraceContextExt;
use serde_json::Value;
use tokio::sync::{Semaphore, broadcast};
use tonic::{Request, Response, Status};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The same one for all its servers, also after a restart.
#[derive(Clone)]
pub(crate) struct Stub(Arc<State>);

struct State {
    plans: AtomicU32,
    given_up: AtomicU32,
    release: Semaphore,
    stale: broadcast::Sender<Vec<String>>,
    traces: Mutex<Vec<(Option<String>, String)>>,
}

impl Stub {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            plans: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
            release: Semaphore::new(0),
            stale: broadcast::channel(16).0,
            traces: Mutex::default(),
        }))
    }

    /// How often Plan was called.
    pub(crate) fn plans(&self) -> u32 {
        self.0.plans.load(Ordering::SeqCst)
    }

    /// How many calls of `hang` ended because nobody waited any more.
    pub(crate) fn given_up(&self) -> u32 {
        self.0.given_up.load(Ordering::SeqCst)
    }

    /// Lets one call of `slow` go on.
    pub(crate) fn release(&self) {
        self.0.release.add_permits(1);
    }

    /// Says that plans may have changed; returns how many listen.
    pub(crate) fn stale(&self, namespaces: &[&str]) -> usize {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        self.0.stale.send(namespaces).unwrap_or(0)
    }

    /// Of each Plan: the header `traceparent`, and the trace of the handler's span.
    pub(crate) fn traces(&self) -> Vec<(Option<String>, String)> {
        self.0.traces.lock().unwrap().clone()
    }
}

/// Counts a call that is dropped.
struct Pending<'a>(&'a AtomicU32);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl Capability for Stub {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let description = Description {
            name: "stub".into(),
            version: "1".into(),
            section_schema: Value::Bool(true),
        };
        Ok(Response::new(description.into()))
    }

    async fn plan(&self, request: Request<PlanRequest>) -> Result<Response<PlanResponse>, Status> {
        self.0.plans.fetch_add(1, Ordering::SeqCst);
        let header = request.metadata().get("traceparent");
        let header = header.map(|header| header.to_str().unwrap().to_owned());
        let context = tracing::Span::current().context();
        let trace = context.span().span_context().trace_id().to_string();
        self.0.traces.lock().unwrap().push((header, trace));
        let request = SectionRequest::try_from(request.into_inner())
            .map_err(|malformed| Status::invalid_argument(malformed.to_string()))?;
        match request.application.as_str() {
            "hang" => {
                let _pending = Pending(&self.0.given_up);
                return pending().await;
            }
            "slow" => self.0.release.acquire().await.unwrap().forget(),
            "panic" => panic!("as asked"),
            "unavailable" => return Err(Status::unavailable("as asked")),
            "internal" => return Err(Status::internal("as asked")),
            "aborted" => return Err(Status::aborted("as asked")),
            _ => {}
        }
        let plan = SectionPlan {
            outputs: [("application".to_owned(), request.application)].into(),
            ..SectionPlan::default()
        };
        Ok(Response::new(plan.into()))
    }

    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let stale = futures::stream::unfold(self.0.stale.subscribe(), |mut stale| async move {
            let namespaces = stale.recv().await.ok()?;
            Some((Ok(WatchResponse { namespaces }), stale))
        });
        Ok(Response::new(stale.boxed()))
    }
}
