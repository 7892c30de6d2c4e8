//! The life of a service, the same for all services: configuration, telemetry, admin port, wiring, ready, drain, flush.

mod admin;
mod detached;
mod life;
mod settings;
mod shutdown;
mod wiring;

use std::{future::Future, net::SocketAddr, pin::Pin};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    breaker,
    cache::Caches,
    database::Database,
    events, grpc, http, kafka, messaging,
    metrics::{IntCounter, Registry},
    nats,
    readiness::{Condition, Impact, Latch, Readiness},
    server,
};

pub use detached::Detached;
pub use life::{run, start};
pub use settings::{Admin, Drain, Loaded, Runtime, Settings, load};

/// A future that ends by itself, or is dropped in the drain.
type Task = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What to do when a task fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The service cannot do without the task: drain and exit with an error, so that the orchestrator restarts the service.
    Shutdown,
    /// Log the error and go on without the task.
    Log,
}

crate::metrics! {
    /// The service itself.
    struct Metrics in "mesh" {
        /// Panics that were caught.
        panics_total: IntCounter,
        /// Always 1; the labels tell what runs.
        build_info: IntGaugeVec["service", "version", "revision"],
    }
}

/// A server that is bound but does not accept connections yet.
struct Server {
    name: &'static str,
    listener: TcpListener,
    kind: ServerKind,
}

enum ServerKind {
    Grpc(grpc::Services, grpc::Edge),
    Http(axum::Router),
}

/// A task, and what to do when it fails.
struct Spawned {
    name: &'static str,
    on_error: OnError,
    task: Task,
}

/// A service while it is wired: the parts that it is made of.
///
/// ```no_run
/// use chassis::{App, Identity, OnError, http};
///
/// /// The settings of this service alone.
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Config {}
///
/// async fn wire(app: &mut App, _config: Config) -> anyhow::Result<()> {
///     let router = axum::Router::new().route("/tea", axum::routing::get(async || "ready"));
///     app.serve_http(([127, 0, 0, 1], 8080).into(), router, http::Options::default()).await?;
///     app.spawn("boil water", OnError::Shutdown, async { Ok(()) });
///     Ok(())
/// }
///
/// fn main() -> std::process::ExitCode {
///     let services = &["teapot"];
///     let identity = Identity { name: "teapot", version: "1.0.0", revision: "unknown", services };
///     chassis::run(identity, Vec::new(), wire)
/// }
/// ```
pub struct App {
    name: &'static str,
    settings: Settings,
    registry: Registry,
    readiness: Readiness,
    draining: CancellationToken,
    clients: Clients,
    panics: IntCounter,
    connections: server::Metrics,
    messaging: messaging::Metrics,
    producer: kafka::Producer,
    consumer: Option<events::Consumer>,
    database: Option<Database>,
    nats: Option<nats::Client>,
    servers: Vec<Server>,
    tasks: Vec<Spawned>,
    after_drain: Vec<Task>,
    detached: Detached,
    addresses: Vec<(&'static str, SocketAddr)>,
}

/// The metrics of outbound calls: declared with the first client, shared by all clients.
#[derive(Default)]
struct Clients {
    breakers: Option<breaker::Metrics>,
    caches: Option<Caches>,
    grpc: Option<grpc::ClientMetrics>,
    http: Option<http::ClientMetrics>,
}

impl App {
    /// The service's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The chassis' settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The registry in which metrics are declared.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A new latch: the service is not ready until it is released.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.readiness.latch(name)
    }

    /// A condition that may go wrong after the start; `impact` says whether this process still gets traffic meanwhile.
    pub fn condition(&self, name: &'static str, impact: Impact) -> Condition {
        self.readiness.condition(name, impact)
    }

    /// The latches and conditions, for parts that declare their own.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The guard of the service's HTTP ports: which host names they answer to, and which web pages may use them.
    pub fn guard(&self) -> http::Guard {
        http::Guard::new(self.name, &self.settings.http)
    }

    /// A token that is cancelled when the drain begins; streams without an end stop then.
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Runs work that is finished even if the request that began it is dropped.
    pub fn detached(&self) -> Detached {
        self.detached.clone()
    }

    /// Starts a task when everything is wired. The drain drops it after servers and consumers have finished, so it must be safe
    /// to drop at any await.
    pub fn spawn(
        &mut self,
        name: &'static str,
        on_error: OnError,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.push(Spawned { name, on_error, task: Box::pin(task) });
    }

    /// Runs work once servers, consumers and tasks have ended, such as saving what is kept in memory. It is cut off at the drain's
    /// deadline, and a process that is killed never does it.
    pub fn after_drain(&mut self, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.after_drain.push(Box::pin(work));
    }
}
