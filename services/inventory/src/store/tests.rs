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
    assert_eq!(
        store.supply(&stock.map(|(name, pieces)| (sku(name), pieces))).await.unwrap(),
        N as u64
    );
    (folder, store)
}

/// The events in the outbox, in their order.
pub(crate) async fn published(store: &Store) -> Vec<String> {
    let query =
        store.database.query("look into the outbox", "select type from outbox order by seq");
    let types: Vec<(String,)> = query.all().await.unwrap();
    types.into_iter().map(|(name,)| name.replace("mesh.inventory.v1.", "")).collect()
}

pub(crate) fn sku(text: &str) -> Sku {
    text.try_into().unwrap()
}

/// The id of the order with this number.
pub(crate) fn id(number: u128) -> OrderId {
    uuid::Uuid::from_u128(number).to_string().try_into().unwrap()
}

pub(crate) fn items<const N: usize>(items: [(&str, i64); N]) -> Vec<Item> {
    items
        .map(|(name, quantity)| Item { sku: sku(name), quantity: quantity.try_into().unwrap() })
        .into()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn hold(order: u128, expires_at: i64) -> Hold {
    let trace = Kept {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        tracestate: Some("vendor=1".into()),
        baggage: Some("plan=gold".into()),
    };
    Hold {
        order: id(order),
        customer: "ada".try_into().unwrap(),
        expires_at: at(expires_at),
        trace,
    }
}

/// Returns whether the reservation was added.
async fn add_mug(store: &Store, hold: &Hold) -> bool {
    let mut tx = store.begin("reserve stock").await.unwrap();
    let wanted = items([("teapot", 1), ("mug", 2)]);
    let added = store.add(&mut tx, hold, &wanted).await.unwrap();
    tx.commit().await.unwrap();
    added
}

#[tokio::test]
async fn no_more_pieces_are_held_than_are_available() {
    let (_folder, store) = store([("teapot", 3)]).await;
    let mut tx = store.begin("reserve stock").await.unwrap();
    let [two, one] = [2, 1].map(|quantity| items([("teapot", quantity)]).remove(0));
    assert!(store.take(&mut tx, &two).await.unwrap());
    assert!(!store.take(&mut tx, &two).await.unwrap());
    assert_eq!(store.available_in(&mut tx, &sku("teapot")).await.unwrap(), Some(1));
    assert!(store.take(&mut tx, &one).await.unwrap());
    assert_eq!(store.available_in(&mut tx, &sku("teapot")).await.unwrap(), Some(0));
    assert_eq!(store.available_in(&mut tx, &sku("unicorn")).await.unwrap(), None);
}

#[tokio::test]
async fn an_order_has_one_reservation() {
    let (_folder, store) = store([]).await;
    assert!(add_mug(&store, &hold(1, 7)).await);
    assert!(!add_mug(&store, &hold(1, 8)).await);
    let mut tx = store.begin("reserve stock").await.unwrap();
    let found = store.find(&mut tx, &id(1)).await.unwrap().unwrap();
    assert_eq!((found.state, found.expires_at), (State::Held, at(7)));
    assert_eq!(found.items, items([("mug", 2), ("teapot", 1)]));
    assert_eq!(store.find(&mut tx, &id(2)).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_changes_of_a_reservation_the_first_is_written() {
    let (_folder, store) = store([]).await;
    add_mug(&store, &hold(1, 7)).await;
    let mut tx = store.begin("settle reservation").await.unwrap();
    let found = store.find(&mut tx, &id(1)).await.unwrap().unwrap();
    assert!(store.settle(&mut tx, &found, Change::Commit, at(8)).await.unwrap());
    assert!(!store.settle(&mut tx, &found, Change::Release, at(9)).await.unwrap());
    assert!(!store.expire(&mut tx, &found.order, at(9)).await.unwrap(), "it is no hold any more");
}

#[tokio::test]
async fn a_hold_is_due_until_it_is_marked_as_expired() {
    let (_folder, store) = store([]).await;
    for (order, expires_at) in [(1, 30), (2, 10), (3, 20)] {
        add_mug(&store, &hold(order, expires_at)).await;
    }
    assert_eq!(store.due(at(20), 10).await.unwrap(), [hold(2, 10), hold(3, 20)]);
    assert_eq!(store.due(at(20), 1).await.unwrap(), [hold(2, 10)]);
    let mut tx = store.begin("expire reservation").await.unwrap();
    assert!(store.expire(&mut tx, &id(2), at(21)).await.unwrap());
    assert!(!store.expire(&mut tx, &id(2), at(22)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.due(at(20), 10).await.unwrap(), [hold(3, 20)]);
    assert_eq!(
        store.held().await.unwrap(),
        3,
        "expired ones are held until the order's outcome is known"
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
        let page = store.after(last.clone(), 2).await.unwrap();
        assert!(page.iter().all(|one| one.items.len() == 2), "a limit of orders, not of items");
        let Some(end) = page.last() else { break };
        last = Some(end.order.clone());
        orders.extend(page.into_iter().map(|one| one.order));
    }
    assert_eq!(orders, [1, 2, 3].map(id));
}
