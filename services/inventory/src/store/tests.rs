use chassis::{database::Config, metrics::Registry};

use super::*;

/// A store with this much of each product.
pub(crate) async fn store<const N: usize>(stock: [(&str, i64); N]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("inventory.db").display());
    let config = Config { url: url.into(), ..Config::local("inventory") };
    let migrations = chassis::migrations!["0001_stock", "0002_trace"];
    let database =
        Database::connect(&config, &[chassis::events::MIGRATIONS, migrations], &Registry::new())
            .await
            .unwrap();
    let store = Store::open(database);
    assert_eq!(store.supply(&lines(stock)).await.unwrap(), N as u64);
    (folder, store)
}

/// The events in the outbox, in their order.
pub(crate) async fn told(store: &Store) -> Vec<String> {
    let query =
        store.database.query("look into the outbox", "select type from outbox order by seq");
    let types: Vec<(String,)> = query.all().await.unwrap();
    types.into_iter().map(|(name,)| name.replace("mesh.inventory.v1.", "")).collect()
}

fn lines<const N: usize>(lines: [(&str, i64); N]) -> Vec<Line> {
    lines.map(|(sku, quantity)| Line { sku: sku.into(), quantity }).into()
}

fn hold(order: u128, expires_at: i64) -> Hold {
    let story = Kept {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        tracestate: Some("vendor=1".into()),
        baggage: Some("plan=gold".into()),
    };
    Hold { order: Uuid::from_u128(order), customer: "ada".into(), expires_at, story }
}

/// Returns whether the reservation was added.
async fn add_mug(store: &Store, hold: &Hold) -> bool {
    let mut tx = store.begin("reserve stock").await.unwrap();
    let wanted = Lines::parse(lines([("teapot", 1), ("mug", 2)])).unwrap();
    let added = add(&mut tx, hold, &wanted).await.unwrap();
    tx.commit().await.unwrap();
    added
}

#[tokio::test]
async fn no_more_is_taken_than_there_is() {
    let (_folder, store) = store([("teapot", 3)]).await;
    let mut tx = store.begin("reserve stock").await.unwrap();
    let [two, one] = [2, 1].map(|quantity| Line { sku: "teapot".into(), quantity });
    assert!(take(&mut tx, &two).await.unwrap());
    assert!(!take(&mut tx, &two).await.unwrap());
    assert_eq!(available(&mut tx, "teapot").await.unwrap(), Some(1));
    assert!(take(&mut tx, &one).await.unwrap());
    assert_eq!(available(&mut tx, "teapot").await.unwrap(), Some(0));
    assert_eq!(available(&mut tx, "unicorn").await.unwrap(), None);
}

#[tokio::test]
async fn an_order_has_one_reservation() {
    let (_folder, store) = store([]).await;
    assert!(add_mug(&store, &hold(1, 7)).await);
    assert!(!add_mug(&store, &hold(1, 8)).await);
    let mut tx = store.begin("reserve stock").await.unwrap();
    let found = find(&mut tx, Uuid::from_u128(1)).await.unwrap().unwrap();
    assert_eq!((found.state, found.expires_at), (State::Held, 7));
    assert_eq!(found.lines, lines([("mug", 2), ("teapot", 1)]));
    assert_eq!(find(&mut tx, Uuid::from_u128(2)).await.unwrap(), None);
}

#[tokio::test]
async fn one_of_two_who_settle_wins() {
    let (_folder, store) = store([]).await;
    add_mug(&store, &hold(1, 7)).await;
    let mut tx = store.begin("settle reservation").await.unwrap();
    let found = find(&mut tx, Uuid::from_u128(1)).await.unwrap().unwrap();
    assert!(settle(&mut tx, &found, Change::Commit, 8).await.unwrap());
    assert!(!settle(&mut tx, &found, Change::Release, 9).await.unwrap());
    assert!(!expire(&mut tx, found.order, 9).await.unwrap(), "it is no hold any more");
}

#[tokio::test]
async fn a_hold_is_due_until_it_was_told() {
    let (_folder, store) = store([]).await;
    for (order, expires_at) in [(1, 30), (2, 10), (3, 20)] {
        add_mug(&store, &hold(order, expires_at)).await;
    }
    assert_eq!(store.due(20, 10).await.unwrap(), [hold(2, 10), hold(3, 20)]);
    assert_eq!(store.due(20, 1).await.unwrap(), [hold(2, 10)]);
    let mut tx = store.begin("expire reservation").await.unwrap();
    assert!(expire(&mut tx, Uuid::from_u128(2), 21).await.unwrap());
    assert!(!expire(&mut tx, Uuid::from_u128(2), 22).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.due(20, 10).await.unwrap(), [hold(3, 20)]);
    assert_eq!(
        store.held().await.unwrap(),
        3,
        "expired ones are held until the order's fate is known"
    );
}

#[tokio::test]
async fn all_reservations_are_listed_a_page_at_a_time() {
    let (_folder, store) = store([]).await;
    for order in [2, 3, 1] {
        add_mug(&store, &hold(order, 7)).await;
    }
    let (mut orders, mut last) = (Vec::new(), None);
    loop {
        let page = store.after(last, 2).await.unwrap();
        assert!(page.iter().all(|one| one.lines.len() == 2), "a limit of orders, not of lines");
        let Some(end) = page.last() else { break };
        last = Some(end.order);
        orders.extend(page.iter().map(|one| one.order.as_u128()));
    }
    assert_eq!(orders, [1, 2, 3]);
}
