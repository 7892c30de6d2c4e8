//! The gateway in a test, with fakes around it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
    response::Response,
};
use chassis::{
    grpc::{Channel, Endpoints},
    http::{Edge, Guard, GuardSettings, Options, serve_router},
    metrics::Registry,
    telemetry::{Forwarded, Forwarder},
};
use proto::{
    catalog::v1::catalog_server::CatalogServer, inventory::v1::inventory_server::InventoryServer,
    orders::v1::orders_server::OrdersServer,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    contract,
    peers::{Peer, Peers},
    updates::FakeUpdates,
};
use crate::{
    browser::Browser,
    config::{Config, FrontDoor, WebSockets},
    console::Console,
    hub::{self, Hub},
    inbound::rest::{self, AppState, Sockets},
    live::{Live, ReadIntervals},
    metrics::Metrics,
    outbound::{Catalog, Inventory, Orders, Updates},
    products::Products,
};

/// How long any step may take on a busy machine.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request may take here: some tests wait for it, and no other test must reach it on a busy machine.
const LIMIT: Duration = Duration::from_secs(5);

/// The maximum of live streams.
pub(super) const STREAMS: usize = 8;

/// How many requests with telemetry may wait to be forwarded.
pub(super) const FORWARDED: usize = 2;

/// An order that the fakes use.
pub(super) const ORDER: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";

pub(super) struct TestGateway {
    router: Router,
    pub(super) peers: Arc<Peers>,
    pub(super) updates: Arc<FakeUpdates>,
    pub(super) draining: CancellationToken,
    pub(super) registry: Registry,
    /// The telemetry of browsers that the gateway passes on.
    pub(super) forwarded: Forwarded,
    tasks: JoinSet<()>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The fields that a problem names.
    pub(super) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map_or(&[][..], |errors| errors);
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}

impl TestGateway {
    /// With waits of a minute, a test that relies on a re-read fails; waits of milliseconds would hide that a live message is
    /// late.
    pub(super) async fn new() -> Self {
        Self::with_intervals(ReadIntervals {
            subscribed: Duration::from_secs(60),
            unsubscribed: Duration::from_secs(60),
        })
        .await
    }

    pub(super) async fn with_intervals(intervals: ReadIntervals) -> Self {
        Self::start(intervals, FrontDoor::default(), WebSockets::default()).await
    }

    /// With pages of other servers at the front door.
    pub(super) async fn with_front_door(front_door: FrontDoor) -> Self {
        Self::start(ReadIntervals::default(), front_door, WebSockets::default()).await
    }

    /// With other limits of WebSockets.
    pub(super) async fn with_websockets(websockets: WebSockets) -> Self {
        Self::start(ReadIntervals::default(), FrontDoor::default(), websockets).await
    }

    async fn start(
        intervals: ReadIntervals,
        front_door: FrontDoor,
        websockets: WebSockets,
    ) -> Self {
        let (peers, updates, mut tasks) =
            (Arc::<Peers>::default(), Arc::<FakeUpdates>::default(), JoinSet::new());
        let endpoints = serve(&peers, &mut tasks).await;
        let mut channel = || {
            let (channel, keep) = Channel::for_tests(&endpoints, &Registry::new()).unwrap();
            tasks.spawn(keep);
            channel
        };
        let (registry, draining, config) =
            (Registry::new(), CancellationToken::new(), Config::default());
        let metrics = Metrics::register(&registry).unwrap();
        let (forwarder, forwarded) = Forwarder::for_tests(&registry, FORWARDED).unwrap();
        let orders = Orders::new(channel());
        let source = Arc::clone(&updates) as Arc<dyn Updates>;
        let sockets = sockets(websockets, &orders, &draining, &metrics);
        let filled = hub::fill(Arc::clone(&sockets.hub), Arc::clone(&source), sockets.config.grace);
        let state = AppState {
            products: Products::new(
                Catalog::new(channel()),
                Inventory::new(channel()),
                metrics.clone(),
            ),
            live: Live::new(
                orders.clone(),
                source,
                draining.clone(),
                metrics.clone(),
                intervals,
                STREAMS,
            ),
            browser: Browser::new(forwarder, config.browser_requests, metrics.clone()),
            sockets,
            orders,
            customer: config.customer,
            trace_url: config.trace_url,
            front_door,
            console: Console::Embedded,
            metrics,
        };
        tasks.spawn(async { filled.await.unwrap() });
        let guard = Some(Guard::new("gateway", &GuardSettings::default()));
        let options = Options { limit: LIMIT, guard, ..rest::options(&state.front_door) };
        let router =
            Edge::for_tests(&registry, options).unwrap().around(rest::router(state).unwrap());
        Self { router, peers, updates, draining, registry, forwarded, tasks }
    }

    /// Serves the gateway on a port, for clients that need a connection.
    pub(super) async fn serve(&mut self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.tasks.spawn(serve_router(listener, self.router.clone(), 64));
        port
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// As a browser asks.
    pub(super) async fn get_gzip(&self, path: &str) -> Response {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip, br");
        self.open(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn place(&self, body: impl Into<Body>) -> Answer {
        self.send(json("/api/orders").body(body.into()).unwrap()).await
    }

    /// Sends a request, and checks the answer against the document.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (parts, body) = self.open(request).await.into_parts();
        let text = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap()).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        let answer = Answer { status: parts.status, headers: parts.headers, body, text };
        if path != "/openapi.json" {
            let document = Box::pin(self.document()).await;
            contract::hold(&document, &method, &path, &answer);
        }
        answer
    }

    /// Sends a request whose answer may never end.
    pub(super) async fn open(&self, mut request: Request<Body>) -> Response {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
        let answered = timeout(TIMEOUT, self.router.clone().oneshot(request)).await;
        answered.expect("an answer in time").unwrap()
    }

    pub(super) async fn document(&self) -> Value {
        self.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body
    }

    /// The value of one series of the metrics.
    pub(super) fn metric(&self, series: &str) -> f64 {
        let text = self.registry.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn sockets(
    config: WebSockets,
    orders: &Orders,
    draining: &CancellationToken,
    metrics: &Metrics,
) -> Sockets {
    let (draining, metrics) = (draining.clone(), metrics.clone());
    Sockets { hub: Hub::new(config.updates), orders: orders.clone(), draining, metrics, config }
}

/// A request with a JSON body.
pub(super) fn json(path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
}

async fn serve(peers: &Arc<Peers>, tasks: &mut JoinSet<()>) -> Endpoints {
    let subscriber = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = Endpoints::local(subscriber.local_addr().unwrap().port());
    let peer = Peer(Arc::clone(peers));
    let server = tonic::transport::Server::builder()
        .add_service(CatalogServer::new(peer.clone()))
        .add_service(InventoryServer::new(peer.clone()))
        .add_service(OrdersServer::new(peer))
        .serve_with_incoming(TcpListenerStream::new(subscriber));
    tasks.spawn(async { server.await.unwrap() });
    endpoints
}
