//! Tests of a payment with the real consumer's handler, the real ledger and the simulated third party behind a real HTTP hop.

use std::{sync::Arc, time::Duration};

use chassis::{
    Kind,
    database::{self, Database},
    events::{Event, SideEffectHandler},
    http,
    metrics::Registry,
    telemetry,
};
use futures::TryStreamExt;
use proto::{
    orders::v1::{Item, OrderCancelled, OrderEvent, OrderPlaced, order_event},
    payments::v1::{
        ListChargesRequest, ListPaymentsRequest, charges_server::Charges as _,
        payment::State as Listed, payments_server::Payments as _,
    },
    types::v1::Money,
    values::{self, OrderId},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    domain::{Delays, Outcome},
    inbound::{grpc::Grpc, orders::OnOrder},
    metrics::Metrics,
    outbound::Provider,
    payments::{Payments, UNRESOLVED_AFTER},
    simulator,
    store::Store,
};

/// A short time limit, shorter than `tok_slow`.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Voids are due at once.
const AT_ONCE: Delays = Delays { first: Duration::ZERO, longest: Duration::ZERO };

const ORDER: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";

struct Stage {
    handler: OnOrder,
    payments: Arc<Payments>,
    provider: Provider,
    database: Database,
    registry: Registry,
    third_party: JoinSet<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Stage {
    async fn new(attempts: u32) -> Self {
        let (listener, registry) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), Registry::new());
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut third_party = JoinSet::new();
        third_party.spawn(simulator::serve(listener, Duration::ZERO));
        let client = http::Client::for_tests("provider", &base, TIMEOUT, &registry).unwrap();
        let metrics = Metrics::register(&registry).unwrap();
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}/payments.db", folder.path().display());
        let config = database::Config { url: url.into(), ..database::Config::local("payments") };
        let migrations = chassis::migrations!["0001_payments", "0002_unknown"];
        let database =
            Database::connect(&config, &[chassis::events::MIGRATIONS, migrations], &registry)
                .await
                .unwrap();
        let provider = Provider::new(client, TIMEOUT, attempts, metrics.clone());
        let store = Store::open(database.clone());
        let payments = Arc::new(Payments::new(store, provider.clone(), AT_ONCE, metrics));
        Self {
            handler: OnOrder::new(&payments),
            payments,
            provider,
            database,
            registry,
            third_party,
            _folder: folder,
        }
    }

    /// Delivers an event as the consumer does.
    async fn deliver(&self, id: &str, event: order_event::Event) -> Result<(), chassis::Error> {
        let event = self::event(id, event);
        let answer = self.handler.call(&event).await?;
        let mut tx = self.database.begin("orders.events").await?;
        self.handler.handle(event, answer, &mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn published(&self) -> Vec<String> {
        let types = self
            .database
            .query("outbox", "select type from outbox order by seq")
            .all::<(String,)>()
            .await
            .unwrap();
        types.into_iter().map(|(name,)| name.replace("mesh.payments.v1.", "")).collect()
    }

    async fn listed(&self) -> Vec<Listed> {
        let grpc = Grpc { payments: Arc::clone(&self.payments) };
        let listed = grpc.list_payments(tonic::Request::new(ListPaymentsRequest {})).await;
        listed.unwrap().into_inner().map_ok(|payment| payment.state()).try_collect().await.unwrap()
    }

    /// The orders that the third party has charged, and whether it refunded them.
    async fn charged(&self) -> Vec<(String, bool)> {
        let grpc = Grpc { payments: Arc::clone(&self.payments) };
        let listed = grpc.list_charges(tonic::Request::new(ListChargesRequest {})).await;
        let charges = listed.unwrap().into_inner();
        charges.map_ok(|charge| (charge.order_id, charge.refunded)).try_collect().await.unwrap()
    }

    async fn charge(&self, key: &str, token: &str) -> Outcome {
        let amount = values::Money::stored("EUR".into(), 1999);
        let order = OrderId::try_from(ORDER).unwrap();
        self.provider.charge(key, &order, &amount, token).await.unwrap()
    }

    fn counted(&self, line: &str) -> bool {
        self.registry.text().lines().any(|counted| counted == line)
    }
}

fn event(id: &str, event: order_event::Event) -> Event<OrderEvent> {
    let body = OrderEvent {
        order_id: ORDER.into(),
        customer: "ada".into(),
        occurred_at_us: 1,
        revision: 1,
        event: Some(event),
    };
    let published_at = std::time::SystemTime::now();
    Event {
        id: id.into(),
        key: ORDER.into(),
        body,
        published_at,
        context: telemetry::context_of(""),
    }
}

fn placed(token: &str) -> order_event::Event {
    let total = Some(Money { currency: "EUR".into(), amount_minor: 1999 });
    let item = Item { sku: "teapot".into(), quantity: 1, unit_price: total.clone() };
    let items = vec![item];
    order_event::Event::Placed(OrderPlaced { total, payment_token: token.into(), items })
}

fn cancelled() -> order_event::Event {
    order_event::Event::Cancelled(OrderCancelled::default())
}

#[tokio::test]
async fn a_placed_order_is_charged_once_however_often_its_event_arrives() {
    let stage = Stage::new(3).await;
    for id in ["e-1", "e-1", "e-2"] {
        stage.deliver(id, placed("tok_ok")).await.unwrap();
    }
    assert_eq!(stage.published().await, ["PaymentAuthorized"]);
    assert_eq!(stage.listed().await, [Listed::Authorized]);
    assert!(stage.counted("mesh_payments_settled_total{outcome=\"authorized\"} 1"));
}

/// The process dies between the charge and its row. After the restart it asks again with the event's id as key, so that it is
/// the same charge.
#[tokio::test]
async fn a_charge_that_was_not_committed_is_requested_again_with_the_same_key() {
    let stage = Stage::new(1).await;
    let event = event("e-1", placed("tok_ok"));
    let (_, charged) = stage.handler.call(&event).await.unwrap();
    let (_, again) = stage.handler.call(&event).await.unwrap();
    assert!(matches!(charged, Outcome::Charged { .. }), "{charged:?}");
    assert_eq!(again, charged);
}

#[tokio::test]
async fn a_cancelled_order_is_refunded_once() {
    let stage = Stage::new(3).await;
    stage.deliver("e-1", placed("tok_ok")).await.unwrap();
    stage.deliver("e-2", cancelled()).await.unwrap();
    stage.deliver("e-3", cancelled()).await.unwrap();
    assert_eq!(stage.published().await, ["PaymentAuthorized", "PaymentRefunded"]);
    assert_eq!(stage.listed().await, [Listed::Refunded]);
    assert!(stage.counted("mesh_payments_refunds_total 1"));
}

#[tokio::test]
async fn an_order_that_was_cancelled_before_it_was_placed_is_not_charged() {
    let stage = Stage::new(3).await;
    stage.deliver("e-2", cancelled()).await.unwrap();
    stage.deliver("e-1", placed("tok_ok")).await.unwrap();
    assert!(stage.published().await.is_empty());
    assert!(stage.listed().await.is_empty());
}

#[tokio::test]
async fn a_refused_charge_is_declined_and_one_without_a_response_has_failed() {
    let stage = Stage::new(1).await;
    stage.deliver("e-1", placed("tok_declined")).await.unwrap();
    assert_eq!(stage.published().await, ["PaymentDeclined"]);
    let stage = Stage::new(2).await;
    stage.deliver("e-1", placed("tok_down")).await.unwrap();
    assert_eq!(stage.published().await, ["PaymentFailed"]);
    assert!(stage.counted(
        "mesh_payments_provider_attempts_total{operation=\"charge\",outcome=\"silent\"} 2"
    ));
}

/// The third party charged, and its response was lost in all attempts.
#[tokio::test]
async fn a_charge_whose_response_was_lost_is_refunded() {
    let stage = Stage::new(2).await;
    stage.deliver("e-1", placed("tok_lost")).await.unwrap();
    assert_eq!(stage.published().await, ["PaymentFailed"], "the order does not wait");
    assert_eq!(stage.listed().await, [Listed::Unknown]);
    assert_eq!(stage.charged().await, [(ORDER.to_owned(), false)]);
    assert!(stage.counted("mesh_payments_settled_total{outcome=\"failed\"} 1"));
    stage.deliver("e-2", cancelled()).await.unwrap();
    stage.payments.resolve_due().await.unwrap();
    assert_eq!(stage.charged().await, [(ORDER.to_owned(), true)]);
    assert_eq!(stage.published().await, ["PaymentFailed", "PaymentRefunded"]);
    assert_eq!(stage.listed().await, [Listed::Refunded]);
    assert_eq!(stage.payments.resolve_due().await.unwrap(), 0, "once");
    assert!(stage.counted("mesh_payments_resolved_total{outcome=\"refunded\"} 1"));
    assert!(stage.counted("mesh_payments_unknown 0"));
}

/// The third party charged, and the transaction afterwards failed until the event was a dead letter.
#[tokio::test]
async fn a_charge_of_a_dead_lettered_order_is_refunded_when_the_order_is_cancelled() {
    let stage = Stage::new(1).await;
    let event = event("e-1", placed("tok_ok"));
    let (_, charged) = stage.handler.call(&event).await.unwrap();
    assert!(matches!(charged, Outcome::Charged { .. }), "{charged:?}");
    assert_eq!(stage.listed().await, [Listed::Unknown], "the audit sees it");
    assert_eq!(stage.payments.resolve_due().await.unwrap(), 0, "it may still be replayed");
    stage.deliver("e-2", cancelled()).await.unwrap();
    stage.payments.resolve_due().await.unwrap();
    assert_eq!(stage.charged().await, [(ORDER.to_owned(), true)]);
    assert_eq!(stage.listed().await, [Listed::Refunded]);
    stage.deliver("e-1", placed("tok_ok")).await.unwrap();
    assert_eq!(stage.published().await, ["PaymentRefunded"], "a replay afterwards changes nothing");
}

/// Its key is that of the first event, whichever event asks.
#[tokio::test]
async fn a_dead_lettered_order_is_charged_once_when_it_is_replayed() {
    let stage = Stage::new(1).await;
    stage.handler.call(&event("e-1", placed("tok_lost"))).await.unwrap();
    stage.deliver("e-2", placed("tok_ok")).await.unwrap();
    assert_eq!(stage.charged().await, [(ORDER.to_owned(), false)]);
    assert_eq!(stage.published().await, ["PaymentAuthorized"]);
}

#[tokio::test]
async fn a_charge_that_was_never_made_cannot_be_made_after_it_was_voided() {
    let stage = Stage::new(1).await;
    stage.deliver("e-1", placed("tok_down")).await.unwrap();
    stage.payments.resolve_due().await.unwrap();
    assert_eq!(stage.listed().await, [Listed::Failed]);
    assert_eq!(stage.published().await, ["PaymentFailed"]);
    let late = stage.charge("e-1", "tok_ok").await;
    assert_eq!(late, Outcome::Declined { reason: "voided".into() });
    assert!(stage.charged().await.is_empty());
}

/// The row stays whatever the third party answers; after ten attempts it counts as unresolved, so that an operator looks at it.
#[tokio::test]
async fn a_charge_that_cannot_be_voided_stays_unknown() {
    let mut stage = Stage::new(1).await;
    stage.deliver("e-1", placed("tok_lost")).await.unwrap();
    stage.third_party.shutdown().await;
    for _ in 0..UNRESOLVED_AFTER {
        assert!(stage.counted("mesh_payments_unresolved 0"));
        assert_eq!(stage.payments.resolve_due().await.unwrap(), 1);
    }
    assert_eq!(stage.listed().await, [Listed::Unknown]);
    assert!(stage.counted("mesh_payments_unknown 1"));
    assert!(stage.counted("mesh_payments_unresolved 1"));
    assert_eq!(stage.payments.resolve_due().await.unwrap(), 1, "tried on");
}

#[tokio::test]
async fn a_refund_that_fails_is_a_temporary_error() {
    let mut stage = Stage::new(1).await;
    stage.deliver("e-1", placed("tok_ok")).await.unwrap();
    stage.third_party.shutdown().await;
    let error = stage.deliver("e-2", cancelled()).await.unwrap_err();
    assert!(error.kind().is_temporary(), "{error}");
    assert_eq!(stage.listed().await, [Listed::Authorized]);
}

#[tokio::test]
async fn a_response_to_a_payment_that_changed_meanwhile_is_a_conflict() {
    let stage = Stage::new(1).await;
    let event = event("e-1", placed("tok_ok"));
    let answer = stage.handler.call(&event).await.unwrap();
    stage.deliver("e-1", placed("tok_ok")).await.unwrap();
    let mut tx = stage.database.begin("orders.events").await.unwrap();
    let error = stage.handler.handle(event, answer, &mut tx).await.unwrap_err();
    assert_eq!(chassis::Error::from(error).kind(), Kind::Conflict);
}

#[tokio::test]
async fn an_order_without_a_total_is_invalid() {
    let stage = Stage::new(1).await;
    let error =
        stage.deliver("e-1", order_event::Event::Placed(OrderPlaced::default())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test]
async fn a_charge_that_fails_twice_succeeds_in_the_third_attempt() {
    let stage = Stage::new(3).await;
    assert!(matches!(stage.charge("k", "tok_flaky").await, Outcome::Charged { .. }));
    assert!(stage.counted(
        "mesh_payments_provider_attempts_total{operation=\"charge\",outcome=\"failing\"} 2"
    ));
    assert!(
        stage.counted(
            "mesh_payments_provider_attempts_total{operation=\"charge\",outcome=\"done\"} 1"
        )
    );
    let impatient = Stage::new(2).await;
    assert_eq!(impatient.charge("k", "tok_flaky").await, Outcome::NoResponse { key: "k".into() });
}

/// The third party is not even called, so no order is refused or counted as failed because of the open circuit breaker.
#[tokio::test]
async fn an_open_circuit_breaker_postpones_a_charge() {
    let stage = Stage::new(1).await;
    for key in 0..20 {
        let key = key.to_string();
        let no_response = Outcome::NoResponse { key: key.clone() };
        assert_eq!(stage.charge(&key, "tok_flaky").await, no_response);
    }
    assert!(stage.counted("mesh_breaker_state{destination=\"provider\"} 2"));
    let error = stage.deliver("e-1", placed("tok_ok")).await.unwrap_err();
    assert!(error.postponed().is_some_and(|wait| !wait.is_zero()), "{error:?}");
    assert!(stage.published().await.is_empty());
    assert!(stage.counted("mesh_breaker_rejections_total{destination=\"provider\"} 1"));
}

/// The id follows from the key, not from the memory of a process.
#[tokio::test]
async fn a_charge_is_the_same_after_a_restart_of_the_third_party() {
    let (before, after) = (Stage::new(1).await, Stage::new(1).await);
    assert_eq!(before.charge("k", "tok_ok").await, after.charge("k", "tok_ok").await);
    assert_ne!(before.charge("k", "tok_ok").await, before.charge("l", "tok_ok").await);
}

#[tokio::test]
async fn an_unknown_token_is_declined() {
    let stage = Stage::new(1).await;
    assert_eq!(
        stage.charge("k", "tok_?").await,
        Outcome::Declined { reason: "unknown_token".into() }
    );
}

#[tokio::test]
async fn a_slow_charge_does_not_delay_another() {
    let stage = Stage::new(1).await;
    tokio::select! {
        biased;
        _ = stage.charge("k", "tok_slow") => panic!("a slow charge was faster than a quick one"),
        _ = stage.charge("l", "tok_ok") => {}
    }
}
