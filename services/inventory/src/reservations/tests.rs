use chassis::{Kind, metrics::Registry};

use super::*;
use crate::{
    domain::Line,
    store::tests::{store, told},
};

/// Reservations with a time limit of zero: they expire at once.
pub(crate) async fn shop<const N: usize>(
    stock: [(&str, i64); N],
) -> (tempfile::TempDir, Reservations) {
    let (folder, store) = store(stock).await;
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (folder, Reservations::new(store, Duration::ZERO, metrics))
}

fn order<const N: usize>(order: u128, lines: [(&str, i64); N]) -> Request {
    let lines = lines.map(|(sku, quantity)| Line { sku: sku.into(), quantity });
    let lines = Lines::parse(lines.into()).unwrap();
    Request { order: Uuid::from_u128(order), customer: "ada".into(), lines }
}

impl Reservations {
    async fn stock<const N: usize>(&self, skus: [&str; N]) -> [i64; N] {
        let available = self.available(&skus.map(String::from)).await.unwrap();
        skus.map(|sku| available[sku])
    }

    async fn hears(&self, order: u128, fate: Fate) -> Result<(), Error> {
        let mut tx = self.store.begin("orders.events").await?;
        self.settle(&mut tx, Uuid::from_u128(order), "ada", fate).await?;
        Ok(tx.commit().await?)
    }
}

#[tokio::test]
async fn all_lines_are_held_or_none() {
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
async fn a_product_that_nobody_sells_is_refused_as_such() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    let refused = shop.reserve(&order(1, [("mug", 9), ("unicorn", 1)])).await.unwrap_err();
    let refused = chassis::Error::from(refused);
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(refused.fields()[0].name, "items[1].sku");
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_other_lines_are_refused() {
    let (_folder, shop) = shop([("mug", 5), ("teapot", 2)]).await;
    let first = shop.reserve(&order(1, [("teapot", 1), ("mug", 2)])).await.unwrap();
    let again = shop.reserve(&order(1, [("mug", 2), ("teapot", 1)])).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(shop.stock(["mug", "teapot"]).await, [3, 1]);
    let refused = shop.reserve(&order(1, [("mug", 1)])).await.unwrap_err();
    assert_eq!(chassis::Error::from(refused).kind(), Kind::AlreadyExists);
    shop.hears(1, Fate::Cancelled).await.unwrap();
    let refused = shop.reserve(&order(1, [("mug", 2), ("teapot", 1)])).await.unwrap_err();
    assert!(matches!(refused, Error::Released(_)), "{refused}");
}

#[tokio::test]
async fn of_many_who_want_the_last_pieces_as_many_get_them_as_there_are() {
    let (_folder, shop) = shop([("samovar", 3)]).await;
    let wishes: Vec<_> = (0..20).map(|number| order(number, [("samovar", 1)])).collect();
    let answers = futures::future::join_all(wishes.iter().map(|wish| shop.reserve(wish))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    let held = shop.metrics.reservations_total.with_label_values(&["held"]).get();
    let short = shop.metrics.reservations_total.with_label_values(&["out_of_stock"]).get();
    assert_eq!((held, short), (3, 17));
}

#[tokio::test]
async fn paid_goods_leave_the_stock_and_come_back_if_the_order_is_cancelled_after_all() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    for _ in 0..2 {
        shop.hears(1, Fate::Paid).await.unwrap();
        assert_eq!(shop.stock(["mug"]).await, [3]);
    }
    for _ in 0..2 {
        shop.hears(1, Fate::Cancelled).await.unwrap();
        assert_eq!(shop.stock(["mug"]).await, [5]);
    }
    shop.hears(1, Fate::Paid).await.unwrap();
    assert_eq!(shop.stock(["mug"]).await, [5], "too late");
    assert_eq!(told(&shop.store).await, ["ReservationCommitted", "ReservationReleased"]);
}

#[tokio::test]
async fn a_hold_runs_out_once_and_stays_held_until_the_orders_fate_is_known() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    let (one, other) = futures::join!(shop.expire(), shop.expire());
    assert!(!one.unwrap() && !other.unwrap());
    assert_eq!(told(&shop.store).await, ["ReservationExpired"]);
    assert_eq!(shop.stock(["mug"]).await, [3]);
    assert_eq!(shop.metrics.held.get(), 1);
    shop.hears(1, Fate::Cancelled).await.unwrap();
    assert_eq!(shop.stock(["mug"]).await, [5]);
    shop.expire().await.unwrap();
    assert_eq!(told(&shop.store).await, ["ReservationExpired", "ReservationReleased"]);
    assert_eq!(shop.metrics.held.get(), 0);
}

#[tokio::test]
async fn a_payment_without_a_reservation_is_for_a_person_to_look_at() {
    let (_folder, shop) = shop([]).await;
    let refused = chassis::Error::from(shop.hears(1, Fate::Paid).await.unwrap_err());
    assert_eq!((refused.kind(), refused.kind().is_temporary()), (Kind::NotFound, false));
    shop.hears(1, Fate::Cancelled).await.unwrap();
}

#[tokio::test]
async fn a_settlement_that_is_rolled_back_is_not_counted() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    shop.reserve(&order(1, [("mug", 2)])).await.unwrap();
    let committed = shop.metrics.settled_total.with_label_values(&["committed"]);
    let mut tx = shop.store.begin("orders.events").await.unwrap();
    shop.settle(&mut tx, Uuid::from_u128(1), "ada", Fate::Paid).await.unwrap();
    assert_eq!(committed.get(), 0, "not yet");
    drop(tx);
    assert_eq!(committed.get(), 0, "rolled back");
    shop.hears(1, Fate::Paid).await.unwrap();
    assert_eq!(committed.get(), 1);
}

/// The order was cancelled while the call that reserves for it took longer than its caller waited.
#[tokio::test]
async fn what_is_cancelled_before_it_is_reserved_is_not_reserved_later() {
    let (_folder, shop) = shop([("mug", 5)]).await;
    for _ in 0..2 {
        shop.hears(1, Fate::Cancelled).await.unwrap();
    }
    let refused = shop.reserve(&order(1, [("mug", 2)])).await.unwrap_err();
    assert!(matches!(refused, Error::Released(_)), "{refused}");
    assert_eq!(shop.stock(["mug"]).await, [5]);
    assert!(shop.after(None, 10).await.unwrap().is_empty());
    assert!(told(&shop.store).await.is_empty());
}
