//! `idp.capability.v1`: the trait that a capability implements, its server, and its client.

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

/// Full name of the service, for health checks and authorization.
pub const SERVICE: &str = "idp.capability.v1.Capability";

/// Allowed callers of each method: only the WebApplication controller calls `Plan` and `Watch`.
pub const CALLERS: &[(&str, &[&str])] = &[
    ("Describe", &["*"]),
    ("Plan", &["idp-webapp"]),
    ("Watch", &["idp-webapp"]),
];

/// A capability: what a controller implements to serve sections of applications.
pub trait Capability: Send + Sync + 'static {
    /// Name, version and schema of the section.
    fn describe(&self) -> Description;

    /// The plan of one section. Reads only caches.
    fn plan(&self, request: &SectionRequest) -> SectionPlan;

    /// A stream of namespaces whose plans may have changed; an empty list means all.
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

/// Calls `Describe`.
///
/// # Errors
/// When the capability is unreachable, or its response is malformed.
pub async fn describe<T>(channel: T) -> Result<Description, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let response = CapabilityClient::new(channel)
        .describe(DescribeRequest {})
        .await?;
    response
        .into_inner()
        .try_into()
        .map_err(|malformed| invalid_response(&malformed))
}

/// Calls `Plan`.
///
/// # Errors
/// When the capability is unreachable, or its response is malformed.
pub async fn plan<T>(channel: T, request: &SectionRequest) -> Result<SectionPlan, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let response = CapabilityClient::new(channel)
        .plan(PlanRequest::from(request))
        .await?;
    response
        .into_inner()
        .try_into()
        .map_err(|malformed| invalid_response(&malformed))
}

/// Calls `Watch`: a stream of namespaces whose plans may have changed; an empty list means all.
///
/// # Errors
/// When the capability is unreachable.
pub async fn watch<T>(channel: T) -> Result<impl Stream<Item = Result<Vec<String>, Status>> + use<T>, Status>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let response = CapabilityClient::new(channel).watch(WatchRequest {}).await?;
    Ok(response
        .into_inner()
        .map(|stale| stale.map(|stale| stale.namespaces)))
}

fn invalid_response(malformed: &Malformed) -> Status {
    Status::data_loss(format!("malformed response: {malformed}"))
}
