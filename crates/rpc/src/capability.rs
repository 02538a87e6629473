//! `idp.capability.v1`: the trait that a capability implements, its server, and calls of its methods.

mod convert;
mod malformed;

use std::sync::Arc;

use futures::{Stream, StreamExt, stream::BoxStream};
use idp_core::capability::{Description, SectionPlan, SectionRequest};
use tonic::{
    Request, Response, Status,
    body::Body,
    client::GrpcService,
    codegen::{Body as HttpBody, Bytes, StdError},
};

use crate::proto::capability::{
    DescribeRequest, DescribeResponse, PlanRequest, PlanResponse, WatchRequest, WatchResponse,
    capability_client::CapabilityClient,
    capability_server::{self, CapabilityServer},
};

pub use malformed::Malformed;

/// Full name of the service, as health checks and authorization name it.
pub const SERVICE: &str = "idp.capability.v1.Capability";

/// Who may call which method: the controller of WebApplications plans, and everybody may ask what there is.
pub const CALLERS: &[(&str, &[&str])] = &[
    ("Describe", &["*"]),
    ("Plan", &["idp-webapp"]),
    ("Watch", &["idp-webapp"]),
];

/// A capability: what a controller must be able to say of the sections that it serves.
pub trait Capability: Send + Sync + 'static {
    /// What it is.
    fn describe(&self) -> Description;

    /// What one section becomes. Reads caches and nothing else.
    fn plan(&self, request: &SectionRequest) -> SectionPlan;

    /// Namespaces whose plans may have changed, as it happens; an empty list means all.
    fn watch(&self) -> BoxStream<'static, Vec<String>>;
}

/// The gRPC service of a capability.
pub fn service(capability: impl Capability) -> CapabilityServer<impl capability_server::Capability> {
    CapabilityServer::new(Service(Arc::new(capability)))
}

struct Service<C>(Arc<C>);

#[tonic::async_trait]
impl<C: Capability> capability_server::Capability for Service<C> {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(self.0.describe().into()))
    }

    async fn plan(&self, request: Request<PlanRequest>) -> Result<Response<PlanResponse>, Status> {
        let request = SectionRequest::try_from(request.into_inner())
            .map_err(|malformed| Status::invalid_argument(malformed.to_string()))?;
        Ok(Response::new(self.0.plan(&request).into()))
    }

    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let stale = self.0.watch().map(|namespaces| Ok(WatchResponse { namespaces }));
        Ok(Response::new(stale.boxed()))
    }
}

/// Asks a capability what it is.
///
/// # Errors
/// When it does not answer, or not as agreed.
pub async fn describe<T>(channel: T) -> Result<Description, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let answer = CapabilityClient::new(channel)
        .describe(DescribeRequest {})
        .await?;
    answer
        .into_inner()
        .try_into()
        .map_err(|malformed| unintelligible(&malformed))
}

/// Asks a capability what a section becomes.
///
/// # Errors
/// When it does not answer, or not as agreed.
pub async fn plan<T>(channel: T, request: &SectionRequest) -> Result<SectionPlan, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let answer = CapabilityClient::new(channel)
        .plan(PlanRequest::from(request))
        .await?;
    answer
        .into_inner()
        .try_into()
        .map_err(|malformed| unintelligible(&malformed))
}

/// Listens to what a capability says of plans that may have changed: lists of namespaces, empty for all.
///
/// # Errors
/// When it does not answer.
pub async fn watch<T>(channel: T) -> Result<impl Stream<Item = Result<Vec<String>, Status>> + use<T>, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let answer = CapabilityClient::new(channel).watch(WatchRequest {}).await?;
    Ok(answer
        .into_inner()
        .map(|stale| stale.map(|stale| stale.namespaces)))
}

fn unintelligible(malformed: &Malformed) -> Status {
    Status::data_loss(format!("the answer is not as agreed: {malformed}"))
}
