//! Tests of placing orders, with a catalogue and an inventory that answer as the test says.

use std::{sync::Arc, time::Duration};

use chassis::{
    Error, Kind,
    app::Detached,
    database::{Config, Database},
    grpc::{Channel, Endpoints},
    metrics::Registry,
    telemetry,
};
use parking_lot::Mutex;
use proto::{
    catalog::v1::{
        GetProductRequest, GetProductResponse, GetProductsRequest, GetProductsResponse,
        ListProductsRequest, ListProductsResponse, Product, catalog_server,
    },
    inventory::v1::{
        GetAvailabilityRequest, GetAvailabilityResponse, ListReservationsRequest, Reservation,
        ReserveRequest, ReserveResponse, inventory_server,
    },
    orders::v1::{
        CancelRequest, GetRequest, ListRequest, PlaceRequest, orders_client::OrdersClient,
        orders_server::Orders as _,
    },
    types::v1::Money,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::{
    inbound::grpc,
    metrics::Metrics,
    orders::{GRACE, Orders},
    outbound::{Catalog, Inventory},
    store::Store,
};

/// The longest that a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulated catalogue and inventory.
#[derive(Clone)]
struct Peers {
    reserved: Arc<Mutex<Vec<ReserveRequest>>>,
    /// Each call that reserves takes one permit before it is answered.
    answers: Arc<Semaphore>,
    refusal: Arc<Mutex<Option<(Kind, &'static str)>>>,
}

#[tonic::async_trait]
impl catalog_server::Catalog for Peers {
    async fn list_products(
        &self,
        _: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_product(
        &self,
        _: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_products(
        &self,
        request: Request<GetProductsRequest>,
    ) -> Result<Response<GetProductsResponse>, Status> {
        let price = Some(Money { currency: "EUR".into(), amount_minor: 1999 });
        let product = |sku| Product { sku, price: price.clone(), ..Product::default() };
        let products = request.into_inner().skus.into_iter().map(product).collect();
        Ok(Response::new(GetProductsResponse { products }))
    }
}

#[tonic::async_trait]
impl inventory_server::Inventory for Peers {
    async fn get_availability(
        &self,
        _: Request<GetAvailabilityRequest>,
    ) -> Result<Response<GetAvailabilityResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<ReserveResponse>, Status> {
        self.reserved.lock().push(request.into_inner());
        self.answers.acquire().await.unwrap().forget();
        match *self.refusal.lock() {
            Some((kind, reason)) => Err(Error::new(kind, "refused").reason(reason).into()),
            None => Ok(Response::new(ReserveResponse { expires_at_us: 1 })),
        }
    }

    type ListReservationsStream = tokio_stream::Empty<Result<Reservation, Status>>;

    async fn list_reservations(
        &self,
        _: Request<ListReservationsRequest>,
    ) -> Result<Response<Self::ListReservationsStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}

struct Stage {
    peers: Peers,
    orders: Arc<Orders>,
    database: Database,
    registry: Registry,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// The simulated inventory answers `answers` calls that reserve.
    async fn new(answers: usize) -> Self {
        Self::with_grace(answers, GRACE).await
    }

    async fn with_grace(answers: usize, grace: Duration) -> Self {
        let peers = Peers {
            reserved: Arc::default(),
            answers: Arc::new(Semaphore::new(answers)),
            refusal: Arc::default(),
        };
        let (registry, mut tasks) = (Registry::new(), JoinSet::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoints = Endpoints::local(listener.local_addr().unwrap().port());
        let server = Server::builder()
            .add_service(catalog_server::CatalogServer::new(peers.clone()))
            .add_service(inventory_server::InventoryServer::new(peers.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tasks.spawn(async { server.await.unwrap() });
        let (channel, keep) = Channel::for_tests(&endpoints, &registry).unwrap();
        tasks.spawn(keep);
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("orders.db").display());
        let config = Config { url: url.into(), ..Config::local("orders") };
        let migrations = chassis::migrations!["0001_orders", "0002_open", "0003_story"];
        let database =
            Database::connect(&config, &[chassis::events::MIGRATIONS, migrations], &registry)
                .await
                .unwrap();
        let orders = Arc::new(Orders::new(
            Store::open(database.clone()),
            Catalog::new(channel.clone()),
            Inventory::new(channel),
            Metrics::register(&registry).unwrap(),
            Detached::for_tests(&registry).unwrap(),
            grace,
        ));
        Self { peers, orders, database, registry, _tasks: tasks, _folder: folder }
    }

    async fn place(&self, request: PlaceRequest) -> Result<String, Error> {
        let service = grpc::Grpc { orders: Arc::clone(&self.orders) };
        let placed = service.place(Request::new(request)).await.map_err(Error::from)?;
        Ok(placed.into_inner().order.unwrap().order_id)
    }

    /// The types of the events in the outbox, in their order.
    async fn events(&self) -> Vec<String> {
        let sql = "select type from outbox order by seq";
        let types: Vec<(String,)> = self.database.query("outbox", sql).all().await.unwrap();
        types.into_iter().map(|(name,)| name.replace("mesh.orders.v1.", "")).collect()
    }

    async fn until_events(&self, expected: &[&str]) {
        let waited = timeout(PATIENCE, async {
            while self.events().await != expected {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "{:?} instead of {expected:?}", self.events().await);
    }

    async fn until_reserving(&self) {
        let waited = timeout(PATIENCE, async {
            while self.peers.reserved.lock().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.expect("inventory is asked");
    }

    fn counted(&self, line: &str) -> bool {
        self.registry.text().lines().any(|counted| counted == line)
    }
}

fn teapots(customer: &str, quantity: i32) -> PlaceRequest {
    let item = proto::orders::v1::Item { sku: "teapot".into(), quantity, unit_price: None };
    PlaceRequest {
        customer: customer.into(),
        items: vec![item],
        payment_token: "tok_ok".into(),
        idempotency_key: "click-7".into(),
    }
}

#[tokio::test]
async fn an_order_is_placed_although_its_client_leaves_while_its_stock_is_reserved() {
    let stage = Stage::new(0).await;
    let client = tokio::select! {
        placed = stage.place(teapots("ada", 1)) => Some(placed),
        () = stage.until_reserving() => None,
    };
    assert!(client.is_none(), "the request is dropped here, as when a call is cancelled");
    stage.peers.answers.add_permits(1);
    stage.until_events(&["OrderPlaced"]).await;
    assert!(stage.counted("mesh_orders_placed_total 1"));
    let again = stage.place(teapots("ada", 1)).await.unwrap();
    assert_eq!(stage.peers.reserved.lock()[0].order_id, again, "it is found under its key");
}

#[tokio::test]
async fn the_stock_of_an_order_is_released_at_once_after_an_internal_error() {
    let stage = Stage::new(usize::MAX >> 4).await;
    *stage.peers.refusal.lock() = Some((Kind::Internal, "LOST"));
    let error = stage.place(teapots("ada", 1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    stage.until_events(&["OrderCancelled"]).await;
    *stage.peers.refusal.lock() = None;
    let error = stage.place(teapots("ada", 1)).await.unwrap_err();
    assert_eq!(error.reason_word(), Some("ORDER_ABANDONED"));
    assert_eq!(stage.events().await, ["OrderCancelled"], "and it is not written any more");
}

/// A client that gets 503 or 504 may send the same request again.
#[tokio::test]
async fn an_order_that_is_repeated_until_inventory_is_back_is_placed() {
    let stage = Stage::new(usize::MAX >> 4).await;
    // The channel itself would repeat UNAVAILABLE, for seconds.
    *stage.peers.refusal.lock() = Some((Kind::DeadlineExceeded, "LATE"));
    for _ in 0..20 {
        let error = stage.place(teapots("ada", 1)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::DeadlineExceeded, "{error:?}");
        sleep(Duration::from_millis(5)).await;
    }
    *stage.peers.refusal.lock() = None;
    stage.place(teapots("ada", 1)).await.unwrap();
    assert_eq!(stage.events().await, ["OrderPlaced"]);
}

#[tokio::test]
async fn the_stock_of_an_order_that_is_not_repeated_is_released_after_the_grace_period() {
    let stage = Stage::with_grace(usize::MAX >> 4, Duration::from_millis(50)).await;
    *stage.peers.refusal.lock() = Some((Kind::DeadlineExceeded, "LATE"));
    stage.place(teapots("ada", 1)).await.unwrap_err();
    stage.until_events(&["OrderCancelled"]).await;
    *stage.peers.refusal.lock() = None;
    let error = stage.place(teapots("ada", 1)).await.unwrap_err();
    assert_eq!(error.reason_word(), Some("ORDER_ABANDONED"));
    assert_eq!(stage.events().await, ["OrderCancelled"]);
}

#[tokio::test]
async fn an_order_that_is_out_of_stock_is_not_abandoned() {
    let stage = Stage::new(usize::MAX >> 4).await;
    *stage.peers.refusal.lock() = Some((Kind::Precondition, "OUT_OF_STOCK"));
    let error = stage.place(teapots("ada", 1)).await.unwrap_err();
    assert_eq!(error.reason_word(), Some("OUT_OF_STOCK"));
    *stage.peers.refusal.lock() = None;
    stage.place(teapots("ada", 1)).await.unwrap();
    assert_eq!(stage.events().await, ["OrderPlaced"]);
}

/// Both requests find no order; the second that reaches inventory asks for other items under the same id.
#[tokio::test]
async fn a_key_that_is_used_for_two_orders_at_once_is_refused() {
    let stage = Stage::new(usize::MAX >> 4).await;
    *stage.peers.refusal.lock() = Some((Kind::AlreadyExists, "OTHER_LINES_RESERVED"));
    let error = stage.place(teapots("ada", 2)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason_word()),
        (Kind::Precondition, Some("IDEMPOTENCY_KEY_REUSED"))
    );
    assert!(stage.events().await.is_empty());
}

#[tokio::test]
async fn a_repeated_request_returns_its_order_and_another_with_its_key_is_refused() {
    let stage = Stage::new(usize::MAX >> 4).await;
    let first = stage.place(teapots("ada", 1)).await.unwrap();
    assert_eq!(stage.place(teapots("ada", 1)).await.unwrap(), first);
    let error = stage.place(teapots("ada", 2)).await.unwrap_err();
    assert_eq!(error.reason_word(), Some("IDEMPOTENCY_KEY_REUSED"));
    assert_ne!(stage.place(teapots("bob", 1)).await.unwrap(), first);
}

#[tokio::test]
async fn an_order_of_another_customer_is_neither_returned_nor_cancelled() {
    let stage = Stage::new(usize::MAX >> 4).await;
    let order_id = stage.place(teapots("ada", 1)).await.unwrap();
    let mut client = OrdersClient::new(grpc::service(&stage.orders));
    let customer = "bob".to_owned();
    let asked = GetRequest { customer: customer.clone(), order_id: order_id.clone() };
    assert_eq!(client.get(asked).await.unwrap_err().code(), tonic::Code::NotFound);
    let asked = CancelRequest { customer: customer.clone(), order_id };
    assert_eq!(client.cancel(asked).await.unwrap_err().code(), tonic::Code::NotFound);
    let listed = client.list(ListRequest { customer, ..Default::default() }).await.unwrap();
    assert!(listed.into_inner().orders.is_empty());
    assert_eq!(stage.events().await, ["OrderPlaced"]);
}

#[tokio::test]
async fn a_customers_cancellation_continues_the_orders_tracestate_and_baggage() {
    telemetry::propagate();
    let kept = |number: u8, plan: &str| telemetry::Kept {
        traceparent: Some(format!(
            "00-4bf92f3577b34da6a3ce929d0e0e473{number}-00f067aa0ba902b7-01"
        )),
        tracestate: Some(format!("vendor={number}")),
        baggage: Some(format!("plan={plan}")),
    };
    let stage = Stage::new(usize::MAX >> 4).await;
    let placing = stage.place(teapots("ada", 1));
    let order_id = telemetry::in_context(&kept(1, "gold").context(), placing).await.unwrap();
    let mut client = OrdersClient::new(grpc::service(&stage.orders));
    let cancelling = client.cancel(CancelRequest { customer: "ada".into(), order_id });
    telemetry::in_context(&kept(2, "none").context(), cancelling).await.unwrap();
    assert_eq!(stage.events().await, ["OrderPlaced", "OrderCancelled"]);
    let sql = "select tracestate, baggage from outbox order by seq";
    let rows: Vec<(String, String)> = stage.database.query("outbox", sql).all().await.unwrap();
    let placed = ("vendor=1".to_owned(), "plan=gold".to_owned());
    assert_eq!(rows, [placed.clone(), placed]);
}

#[tokio::test]
async fn an_order_beyond_the_limits_is_refused_before_it_is_handled() {
    let stage = Stage::new(usize::MAX >> 4).await;
    let mut client = OrdersClient::new(grpc::service(&stage.orders));
    let request = PlaceRequest {
        customer: "a\0b".into(),
        payment_token: format!("tok_{}", "x".repeat(40_000)),
        idempotency_key: "b\0c".into(),
        ..teapots("", -1)
    };
    let refused = Error::from(client.place(request).await.unwrap_err());
    let fields: Vec<_> = refused.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(fields, ["customer", "items[0].quantity", "payment_token", "idempotency_key"]);
    let request = PlaceRequest { payment_token: "x".repeat(1_000_003), ..teapots("ada", 1) };
    let refused = client.place(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
    assert!(stage.peers.reserved.lock().is_empty());
}

#[tokio::test]
async fn a_request_with_an_id_of_an_earlier_version_returns_its_order() {
    let stage = Stage::new(usize::MAX >> 4).await;
    let request = crate::domain::Request::try_from(teapots("ada", 1)).unwrap();
    let placed = stage.place(teapots("ada", 1)).await.unwrap();
    let (id, print) = request.former();
    let sql = "update orders set id = $1, fingerprint = $2";
    let mut tx = stage.database.begin("age").await.unwrap();
    tx.query(sql).bind(id.as_str()).bind(print).execute().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.place(teapots("ada", 1)).await.unwrap(), id.as_str());
    assert_ne!(placed, id.as_str());
    let error = stage.place(teapots("ada", 2)).await.unwrap_err();
    assert_eq!(error.reason_word(), Some("IDEMPOTENCY_KEY_REUSED"));
}

/// The commit may fail: until it succeeds, the order is not settled.
#[tokio::test]
async fn a_settlement_that_is_rolled_back_is_not_counted() {
    use crate::domain::{Fact, Report};
    let stage = Stage::new(usize::MAX >> 4).await;
    let order = stage.place(teapots("ada", 1)).await.unwrap();
    let report = Report {
        order: order.try_into().unwrap(),
        customer: "ada".try_into().unwrap(),
        fact: Fact::PaymentDeclined,
    };
    let cancelled = "mesh_orders_cancelled_total{reason=\"payment_declined\"}";
    for (commit, count) in [(false, 0), (true, 1)] {
        let mut tx = stage.database.begin("payments.events").await.unwrap();
        stage.orders.settle(&mut tx, report.clone()).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        assert!(stage.counted(&format!("{cancelled} {count}")), "{commit}");
        let ended = format!("mesh_flow_duration_seconds_count{{outcome=\"cancelled\"}} {count}");
        assert!(stage.counted(&ended), "{commit}");
    }
}
