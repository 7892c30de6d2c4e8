use chassis::{database::Config, metrics::Registry};

use super::*;
use crate::domain::Fact;

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

fn teapots(id: &str, at: i64) -> Order {
    Order {
        id: id.into(),
        customer: "ada".into(),
        items: vec![Item { sku: "teapot".into(), quantity: 2, unit_minor: 1999 }],
        currency: "EUR".into(),
        total_minor: 3998,
        fingerprint: "print".into(),
        traceparent: "00-1-2-01".into(),
        tracestate: Some("vendor=1".into()),
        baggage: Some("tenant=tea".into()),
        progress: Progress::placed(at),
    }
}

async fn place(store: &Store, order: &Order) -> bool {
    let mut tx = store.begin("insert order").await.unwrap();
    let placed = insert(&mut tx, order).await.unwrap();
    tx.commit().await.unwrap();
    placed
}

async fn learn(store: &Store, before: &Order, fact: Fact) -> bool {
    let mut order = before.clone();
    order.progress.learn(fact, 7);
    let mut tx = store.begin("settle order").await.unwrap();
    let updated = update(&mut tx, &before.progress, &order).await.unwrap();
    tx.commit().await.unwrap();
    updated
}

async fn get(store: &Store, id: &str) -> Order {
    match store.find(id).await.unwrap() {
        Some(Found::Order(order)) => *order,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn open_orders_are_counted_by_status_with_their_oldest() {
    let (_folder, store) = store().await;
    assert_eq!(store.open_orders().await.unwrap(), []);
    for (id, at) in [("1", 9), ("2", 5), ("3", 7), ("4", 3)] {
        assert!(place(&store, &teapots(id, at)).await);
    }
    let (paid, cancelled) = (get(&store, "3").await, get(&store, "4").await);
    assert!(learn(&store, &paid, Fact::PaymentAuthorized).await);
    assert!(learn(&store, &cancelled, Fact::CustomerCancelled).await);
    let mut open = store.open_orders().await.unwrap();
    open.sort_by_key(|group| group.status);
    let placed = Open { status: Status::Placed, number: 2, oldest_at: 5 };
    assert_eq!(open, [placed, Open { status: Status::Paid, number: 1, oldest_at: 7 }]);
}

#[tokio::test]
async fn an_order_is_read_as_it_was_written() {
    let (_folder, store) = store().await;
    let order = teapots("1", 5);
    assert!(place(&store, &order).await);
    assert_eq!(get(&store, "1").await, order);
    assert!(!place(&store, &teapots("1", 6)).await, "an id is taken once");
    assert!(learn(&store, &order, Fact::CustomerCancelled).await);
    let cancelled = get(&store, "1").await;
    assert_eq!(cancelled.progress.cancelled, Some(Reason::Customer));
    assert_eq!(cancelled.progress.history.len(), 2);
}

#[tokio::test]
async fn of_two_who_change_an_order_at_once_one_decides_anew() {
    let (_folder, store) = store().await;
    let seen = teapots("1", 5);
    place(&store, &seen).await;
    assert!(
        learn(&store, &seen, Fact::ShipmentDispatched).await,
        "a fact without a status counts too"
    );
    assert!(!learn(&store, &seen, Fact::PaymentAuthorized).await);
    assert!(learn(&store, &get(&store, "1").await, Fact::PaymentAuthorized).await);
    assert_eq!(get(&store, "1").await.progress.status(), Status::Dispatched);
}

#[tokio::test]
async fn what_was_abandoned_is_not_written_later_and_not_listed() {
    let (_folder, store) = store().await;
    let mut tx = store.begin("abandon order").await.unwrap();
    assert!(abandon(&mut tx, "1", "ada").await.unwrap());
    tx.commit().await.unwrap();
    assert!(!place(&store, &teapots("1", 5)).await);
    assert!(matches!(store.find("1").await.unwrap(), Some(Found::Abandoned)));
    assert!(store.list("ada", None, None, 10).await.unwrap().is_empty());
    assert!(store.all_after("", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let (_folder, store) = store().await;
    for (id, at) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
        place(&store, &teapots(id, at)).await;
    }
    let ids = |orders: &[Order]| orders.iter().map(|order| order.id.clone()).collect::<Vec<_>>();
    let first = store.list("ada", None, None, 2).await.unwrap();
    assert_eq!(ids(&first), ["d", "c"]);
    let after = After { placed_at: 2, id: "c".into() };
    assert_eq!(ids(&store.list("ada", None, Some(after), 2).await.unwrap()), ["b", "a"]);
    learn(&store, &get(&store, "b").await, Fact::PaymentAuthorized).await;
    assert_eq!(ids(&store.list("ada", Some(Status::Paid), None, 9).await.unwrap()), ["b"]);
    assert!(store.list("bob", None, None, 9).await.unwrap().is_empty());
}
