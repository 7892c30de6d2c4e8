//! What a gRPC port serves: a service's own methods, and for tools and orchestrators health and reflection.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use tokio::time::sleep;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

use super::Edge;
use crate::readiness::Readiness;

/// The largest message that a service takes if it does not say otherwise: some hundred times the longest of our contracts.
const MESSAGE: usize = 1 << 20;
/// How long the health of a port may lag behind the readiness of its process; shorter than the wait before a port closes.
const LAG: Duration = Duration::from_millis(200);

/// The gRPC services of one port.
pub struct Services {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    pub(super) message_limit: usize,
}

impl Services {
    /// A port that serves this service.
    pub fn new<S>(service: S) -> Self
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
        Self { routes, names, message_limit: MESSAGE }.with(service)
    }

    /// Adds another one.
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

    /// Sets the largest message that is taken, in bytes.
    #[must_use]
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
        self
    }

    /// Everything behind the edge, and the future that keeps its health up to date until it is dropped.
    pub(crate) fn served(self, edge: Edge, readiness: &Readiness) -> anyhow::Result<Served> {
        let edge = edge.taking(self.message_limit);
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut routes = self.routes;
        routes.add_service(health);
        routes.add_service(reflection(&self.names).build_v1()?);
        routes.add_service(reflection(&self.names).build_v1alpha()?);
        let served = edge
            .layer(routes.routes().prepare())
            .map_request(|request: Request<axum::body::Body>| request.map(Body::new))
            .map_response(|response: Response<Body>| response.map(axum::body::Body::new));
        let health = Health { reporter, names: self.names, readiness: readiness.clone() };
        Ok(Served { service: BoxCloneSyncService::new(served), health })
    }
}

/// Lists what the port serves, and nothing of what others do.
fn reflection<'a>(names: &[&'static str]) -> tonic_reflection::server::Builder<'a> {
    const OWN: [&str; 3] = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false);
    names.iter().copied().chain(OWN).fold(builder, |builder, name| builder.with_service_name(name))
}

/// A port that is ready to serve.
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
    /// Follows the readiness of the process: the port as a whole (the empty name) and each of its services.
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

    /// Ends the streams of those that watch it: they would hold the end of the process back.
    pub(crate) async fn end(mut self) {
        for name in self.names.iter().copied().chain([""]) {
            self.reporter.clear_service_status(name).await;
        }
    }
}
