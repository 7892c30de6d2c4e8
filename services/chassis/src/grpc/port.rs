//! The services of a gRPC port: the service's own, and health and reflection for tools and orchestrators.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use tokio::time::sleep;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

use super::Edge;
use crate::readiness::Readiness;

/// The default limit of a message in bytes: some hundred times the longest message of our contracts.
const MESSAGE: usize = 1 << 20;
/// The most by which a port's health lags behind the readiness of its process; shorter than the wait before a port closes.
const LAG: Duration = Duration::from_millis(200);

/// The gRPC services of one port.
pub struct Services {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    descriptors: &'static [u8],
    pub(super) message_limit: usize,
}

impl Services {
    /// Creates a port with this service. Reflection shows the `descriptors`, an encoded `google.protobuf.FileDescriptorSet` with
    /// the contracts of all services of the port.
    pub fn new<S>(descriptors: &'static [u8], service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let (routes, names) = (RoutesBuilder::default(), Vec::new());
        Self { routes, names, descriptors, message_limit: MESSAGE }.with(service)
    }

    /// Adds another service.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Sets the limit of a message, in bytes.
    #[must_use]
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
        self
    }

    /// All services behind the edge, and the future that keeps the port's health up to date until it is dropped.
    pub(crate) fn served(self, edge: Edge, readiness: &Readiness) -> anyhow::Result<Served> {
        let edge = edge.taking(self.message_limit);
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut routes = self.routes;
        routes.add_service(health);
        routes.add_service(reflection(self.descriptors, &self.names).build_v1()?);
        routes.add_service(reflection(self.descriptors, &self.names).build_v1alpha()?);
        let served = edge
            .layer(routes.routes().prepare())
            .map_request(|request: Request<axum::body::Body>| request.map(Body::new))
            .map_response(|response: Response<Body>| response.map(axum::body::Body::new));
        let health = Health { reporter, names: self.names, readiness: readiness.clone() };
        Ok(Served { service: BoxCloneSyncService::new(served), health })
    }
}

/// Lists the services of this port only.
fn reflection<'a>(
    descriptors: &'static [u8],
    names: &[&'static str],
) -> tonic_reflection::server::Builder<'a> {
    const OWN: [&str; 3] = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(descriptors)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false);
    names.iter().copied().chain(OWN).fold(builder, |builder, name| builder.with_service_name(name))
}

/// The services of a port, ready to be served.
pub(crate) struct Served {
    pub(crate) service:
        BoxCloneSyncService<Request<axum::body::Body>, Response<axum::body::Body>, Infallible>,
    pub(crate) health: Health,
}

/// The health of a port, by service.
pub(crate) struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
    readiness: Readiness,
}

impl Health {
    /// Copies the readiness of the process to the health of the port as a whole (the empty name) and of each service.
    pub(crate) async fn follow(&self) -> Infallible {
        let mut last = None;
        loop {
            let status = match self.readiness.missing().is_empty() {
                true => ServingStatus::Serving,
                false => ServingStatus::NotServing,
            };
            if last.replace(status) != Some(status) {
                for name in self.names.iter().copied().chain([""]) {
                    self.reporter.set_service_status(name, status).await;
                }
            }
            sleep(LAG).await;
        }
    }

    /// Ends the streams of clients that watch the health: they would delay the exit of the process.
    pub(crate) async fn end(mut self) {
        for name in self.names.iter().copied().chain([""]) {
            self.reporter.clear_service_status(name).await;
        }
    }
}
