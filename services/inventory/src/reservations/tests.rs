use chassis::{Kind, metrics::Registry};

use super::*;
use crate::store::tests::{id, items, published, store};

/// Reservations with a time limit of zero: they expire at once.
pub(crate) async fn shop<const N: usize>(
    stock: [(&str, i64); N],
) -> (tempfile::TempDir, Reservations) {
    let (folder, store) = store(stock).await;
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (folder, Reservations::new(store, Duration::ZERO, metrics))
}

fn order<const N: usize>(order: u128, wanted: [(&str, i64); N]) -> Request {
    Request { order: id(order), customer: "ada".try_into().unwrap(), items: items(wanted) }
}

fn settled(order: u128, outcome: OrderOutcome) -> Order {
    Order { id: id(order), customer: "ada".try_into().unwrap(), outcome }
}

impl Reservations {
    async fn stock<const N: usize>(&self, skus: [&str; N]) -> [i64; N] {
        let available = self.available(&skus.map(String::from)).await.unwrap();
        skus.map(|sku| available[sku])
    }

    async fn apply(&self, order: u128, outcome: OrderOutcome) -> Result<(), Error> {
        let mut tx = self.store.begin("orders.events").await?;
        self.settle(&mut tx, settled(order, outcome)).await?;
        Ok(tx.commit().await?)
    }
}

#[tokio::test]
async fn all_items_are_held_or_none() {
    let (_folder, shop) = shop([("mug", 5), ("teapot", 2)]).await;
    shop.reserve(&order(1, [("teapot", 1), ("mug", 2)])).await.unwrap();
    assert_eq!(shop.stock(["mug", "teapot"]).await, [3, 1]);
    let refused = shop.reserve(&order(2, [("teapot", 7), ("mug", 3)])).await.unwrap_err();
    let refused = chassis::Error::from(refused);
    assert_eq!((refused.kind(), refused.reason_word()), (Kind::Precondition, Some("OUT_OF_STOCK")));
    assert_eq!(refused.fields().len(), 1);
    assert_eq!(refused.fields()[0].name, "items[0].quantity");
    assert_eq!(refused.fields()[0].message, r#"7 of "teapot" wanted, 1 available"#);
    let refused = shop.reserve(&order(2, [("teapot", 7), ("mug", 4)])).await.unwrap_err();
    let refused = chassis::Error::from(refused);
    let fields: Vec<_> = refused.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["items[0].quantity", "items[1].quantity"], "as they were asked for");
    assert_eq!(shop.stock(["mug", "teapot"]).await, [3, 1]);
    // After a refusal, the order may ask again for the quantity that is available.
    shop.reserve(&order(2, [("teapot", 1), ("mug", 3)])).await.unwrap();
    assert_eq!(shop.stock(["mug", "teapot"]).await, [0, 0]);
}

#[tokio::test]
async fn an_unknown_product_is_invalid() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    let refused = shop.reserve(&order(1, [("mug", 9), ("unicorn", 1)])).await.unwrap_err();
    let refused = chassis::Error::from(refused);
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(refused.fields()[0].name, "items[1].sku");
}

#[tokio::test]
async fn a_repeated_reservation_changes_nothing_and_one_of_other_items_is_refused() {
    let (_folder, shop) = shop([("mug", 5), ("teapot", 2)]).await;
    let first = shop.reserve(&order(1, [("teapot", 1), ("mug", 2)])).await.unwrap();
    let again = shop.reserve(&order(1, [("mug", 2), ("teapot", 1)])).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(shop.stock(["mug", "teapot"]).await, [3, 1]);
    let refused = shop.reserve(&order(1, [("mug", 1)])).await.unwrap_err();
    assert_eq!(chassis::Error::from(refused).kind(), Kind::AlreadyExists);
    shop.apply(1, OrderOutcome::Cancelled).await.unwrap();
    let refused = shop.reserve(&order(1, [("mug", 2), ("teapot", 1)])).await.unwrap_err();
    assert!(matches!(refused, Error::Released(_)), "{refused}");
}

#[tokio::test]
async fn of_twenty_orders_for_three_pieces_three_get_one() {
    let (_folder, shop) = shop([("samovar", 3)]).await;
    let requests: Vec<_> = (0..20).map(|number| order(number, [("samovar", 1)])).collect();
    let answers =
        futures::future::join_all(requests.iter().map(|request| shop.reserve(request))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    let held = shop.metrics.reservations_total.with_label_values(&["held"]).get();
    let short = shop.metrics.reservations_total.with_label_values(&["out_of_stock"]).get();
    assert_eq!((held, short), (3, 17));
}

#[tokio::test]
async fn paid_goods_leave_the_stock_and_return_if_the_order_is_cancelled() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    for _ in 0..2 {
        shop.apply(1, OrderOutcome::Paid).await.unwrap();
        assert_eq!(shop.stock(["mug"]).await, [3]);
    }
    for _ in 0..2 {
        shop.apply(1, OrderOutcome::Cancelled).await.unwrap();
        assert_eq!(shop.stock(["mug"]).await, [5]);
    }
    shop.apply(1, OrderOutcome::Paid).await.unwrap();
    assert_eq!(shop.stock(["mug"]).await, [5], "too late");
    assert_eq!(published(&shop.store).await, ["ReservationCommitted", "ReservationReleased"]);
}

#[tokio::test]
async fn a_hold_expires_once_and_stays_held_until_the_order_is_cancelled() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    let (one, other) = futures::join!(shop.expire(), shop.expire());
    assert!(!one.unwrap() && !other.unwrap());
    assert_eq!(published(&shop.store).await, ["ReservationExpired"]);
    assert_eq!(shop.stock(["mug"]).await, [3]);
    assert_eq!(shop.metrics.held.get(), 1);
    shop.apply(1, OrderOutcome::Cancelled).await.unwrap();
    assert_eq!(shop.stock(["mug"]).await, [5]);
    shop.expire().await.unwrap();
    assert_eq!(published(&shop.store).await, ["ReservationExpired", "ReservationReleased"]);
    assert_eq!(shop.metrics.held.get(), 0);
}

#[tokio::test]
async fn a_paid_order_without_a_reservation_is_a_lasting_error() {
    let (_folder, shop) = shop([]).await;
    let refused = chassis::Error::from(shop.apply(1, OrderOutcome::Paid).await.unwrap_err());
    assert_eq!((refused.kind(), refused.kind().is_temporary()), (Kind::NotFound, false));
    shop.apply(1, OrderOutcome::Cancelled).await.unwrap();
}

#[tokio::test]
async fn a_settlement_that_is_rolled_back_is_not_counted() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    let committed = shop.metrics.settled_total.with_label_values(&["committed"]);
    let mut tx = shop.store.begin("orders.events").await.unwrap();
    shop.settle(&mut tx, settled(1, OrderOutcome::Paid)).await.unwrap();
    assert_eq!(committed.get(), 0, "not yet");
    drop(tx);
    assert_eq!(committed.get(), 0, "rolled back");
    shop.apply(1, OrderOutcome::Paid).await.unwrap();
    assert_eq!(committed.get(), 1);
}

/// The order was cancelled while the call that reserves for it took longer than its caller waited.
#[tokio::test]
async fn an_order_that_was_cancelled_before_it_reserved_reserves_nothing() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    for _ in 0..2 {
        shop.apply(1, OrderOutcome::Cancelled).await.unwrap();
    }
    let refused = shop.reserve(&order(1, [("mug", 2)])).await.unwrap_err();
    assert!(matches!(refused, Error::Released(_)), "{refused}");
    assert_eq!(shop.stock(["mug"]).await, [5]);
    assert!(shop.after(None).await.unwrap().is_empty());
    assert!(published(&shop.store).await.is_empty());
}
