use chassis::{database::Config, metrics::Registry};

use super::*;
use crate::domain::{Fact, Item};

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("orders.db").display());
    let config = Config { url: url.into(), ..Config::local("orders") };
    let migrations = chassis::migrations!["0001_orders", "0002_open", "0003_story"];
    (
        folder,
        Store::open(
            Database::connect(
                &config,
                &[chassis::events::MIGRATIONS, migrations],
                &Registry::new(),
            )
            .await
            .unwrap(),
        ),
    )
}

fn id(text: &str) -> OrderId {
    OrderId::stored(text.into())
}

fn customer(name: &str) -> CustomerId {
    name.try_into().unwrap()
}

fn teapots(number: &str, at: i64) -> Order {
    let quantity = 2_i64.try_into().unwrap();
    let item = Item { sku: "teapot".try_into().unwrap(), quantity, unit_minor: 1999 };
    Order {
        id: id(number),
        customer: customer("ada"),
        items: vec![item],
        total: Money::stored("EUR".into(), 3998),
        fingerprint: "print".into(),
        trace: Kept {
            traceparent: Some("00-1-2-01".into()),
            tracestate: Some("vendor=1".into()),
            baggage: Some("tenant=tea".into()),
        },
        progress: Progress::placed(at.into()),
    }
}

fn all(name: &str) -> Selection {
    Selection { customer: customer(name), status: None, after: None, size: 10 }
}

async fn place(store: &Store, order: &Order) -> bool {
    let mut tx = store.begin("insert order").await.unwrap();
    let placed = store.insert(&mut tx, order).await.unwrap();
    tx.commit().await.unwrap();
    placed
}

async fn record(store: &Store, before: &Order, fact: Fact) -> bool {
    let mut order = before.clone();
    order.progress.record(fact, 7.into());
    let mut tx = store.begin("settle order").await.unwrap();
    let updated = store.update(&mut tx, &before.progress, &order).await.unwrap();
    tx.commit().await.unwrap();
    updated
}

async fn get(store: &Store, number: &str) -> Order {
    match store.find(&id(number)).await.unwrap() {
        Some(Found::Order(order)) => *order,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn open_orders_are_counted_by_status_with_their_oldest() {
    let (_folder, store) = store().await;
    assert_eq!(store.open_orders().await.unwrap(), []);
    for (number, at) in [("1", 9), ("2", 5), ("3", 7), ("4", 3)] {
        assert!(place(&store, &teapots(number, at)).await);
    }
    let (paid, cancelled) = (get(&store, "3").await, get(&store, "4").await);
    assert!(record(&store, &paid, Fact::PaymentAuthorized).await);
    assert!(record(&store, &cancelled, Fact::CustomerCancelled).await);
    let mut open = store.open_orders().await.unwrap();
    open.sort_by_key(|group| group.status);
    let placed = Open { status: Status::Placed, number: 2, oldest_at: 5.into() };
    assert_eq!(open, [placed, Open { status: Status::Paid, number: 1, oldest_at: 7.into() }]);
}

#[tokio::test]
async fn an_order_is_read_as_it_was_written() {
    let (_folder, store) = store().await;
    let order = teapots("1", 5);
    assert!(place(&store, &order).await);
    assert_eq!(get(&store, "1").await, order);
    assert!(!place(&store, &teapots("1", 6)).await, "an id is taken once");
    assert!(record(&store, &order, Fact::CustomerCancelled).await);
    let cancelled = get(&store, "1").await;
    assert_eq!(cancelled.progress.cancelled, Some(Reason::Customer));
    assert_eq!(cancelled.progress.history.len(), 2);
}

#[tokio::test]
async fn of_two_concurrent_changes_of_an_order_the_second_is_refused() {
    let (_folder, store) = store().await;
    let seen = teapots("1", 5);
    place(&store, &seen).await;
    assert!(
        record(&store, &seen, Fact::ShipmentDispatched).await,
        "a fact without a status counts too"
    );
    assert!(!record(&store, &seen, Fact::PaymentAuthorized).await);
    assert!(record(&store, &get(&store, "1").await, Fact::PaymentAuthorized).await);
    assert_eq!(get(&store, "1").await.progress.status(), Status::Dispatched);
}

#[tokio::test]
async fn an_abandoned_order_is_neither_written_later_nor_listed() {
    let (_folder, store) = store().await;
    let mut tx = store.begin("abandon order").await.unwrap();
    assert!(store.abandon(&mut tx, &id("1"), &customer("ada")).await.unwrap());
    tx.commit().await.unwrap();
    assert!(!place(&store, &teapots("1", 5)).await);
    assert!(matches!(store.find(&id("1")).await.unwrap(), Some(Found::Abandoned)));
    assert!(store.list(&all("ada"), 10).await.unwrap().is_empty());
    assert!(store.after(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn orders_are_listed_page_by_page_newest_first() {
    let (_folder, store) = store().await;
    for (number, at) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
        place(&store, &teapots(number, at)).await;
    }
    let ids =
        |orders: &[Order]| orders.iter().map(|order| order.id.to_string()).collect::<Vec<_>>();
    let first = store.list(&all("ada"), 2).await.unwrap();
    assert_eq!(ids(&first), ["d", "c"]);
    let after = Some(Position { placed_at: 2.into(), id: id("c") });
    let second = store.list(&Selection { after, ..all("ada") }, 2).await.unwrap();
    assert_eq!(ids(&second), ["b", "a"]);
    record(&store, &get(&store, "b").await, Fact::PaymentAuthorized).await;
    let paid = Selection { status: Some(Status::Paid), ..all("ada") };
    assert_eq!(ids(&store.list(&paid, 9).await.unwrap()), ["b"]);
    assert!(store.list(&all("bob"), 9).await.unwrap().is_empty());
}
