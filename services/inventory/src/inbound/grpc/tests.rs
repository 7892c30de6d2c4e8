use chassis::Kind;
use futures::TryStreamExt;
use inventory_server::Inventory;
use proto::inventory::v1::inventory_client::InventoryClient;

use super::*;
use crate::{
    reservations::{PAGE, tests::shop},
    store::tests::id,
};

async fn served<const N: usize>(stock: [(&str, i64); N]) -> (tempfile::TempDir, Grpc) {
    let (folder, reservations) = shop(stock).await;
    (folder, Grpc { reservations: Arc::new(reservations) })
}

fn item(sku: &str, quantity: i32) -> Item {
    Item { sku: sku.into(), quantity }
}

fn reserve(order_id: impl ToString, items: Vec<Item>) -> Request<ReserveRequest> {
    let order_id = order_id.to_string();
    Request::new(ReserveRequest { order_id, customer: "ada".into(), items })
}

#[tokio::test]
async fn availability_is_in_the_requested_order_without_unknown_products() {
    let (_folder, grpc) = served([("mug", 5), ("teapot", 2)]).await;
    let skus = ["teapot", "unicorn", "mug"].map(String::from).into();
    let asked = Request::new(GetAvailabilityRequest { skus });
    let answer = grpc.get_availability(asked).await.unwrap().into_inner();
    assert_eq!(answer.items, [item("teapot", 2), item("mug", 5)]);
}

#[tokio::test]
async fn a_request_beyond_the_limits_is_refused_before_it_is_handled() {
    let (_folder, grpc) = served([("mug", 5)]).await;
    let server = InventoryServer::new(grpc);
    let mut client = InventoryClient::new(server.max_decoding_message_size(limits::REQUEST_BYTES));
    let asked = GetAvailabilityRequest { skus: vec!["mug".into(); 101] };
    let refused = Error::from(client.get_availability(asked).await.unwrap_err());
    assert_eq!((refused.kind(), &*refused.fields()[0].name), (Kind::Invalid, "skus"));
    let customer = "x".repeat(10_000);
    let asked = ReserveRequest { order_id: "o-1".into(), customer, items: vec![item("mug", -1)] };
    let refused = Error::from(client.reserve(asked).await.unwrap_err());
    let fields: Vec<_> = refused.fields().iter().map(|field| &*field.name).collect();
    assert_eq!(fields, ["order_id", "customer", "items[0].quantity"]);
    let asked = GetAvailabilityRequest { skus: vec!["mug".into(); 1_000_000] };
    assert_eq!(client.get_availability(asked).await.unwrap_err().code(), tonic::Code::OutOfRange);
}

#[tokio::test]
async fn every_reservation_is_listed_however_many_there_are() {
    let (_folder, grpc) = served([("mug", 1_000_000)]).await;
    let orders = 2 * PAGE.unsigned_abs() + 1;
    for order in 0..orders {
        let request = reserve(id(order.into()), vec![item("mug", 1)]);
        grpc.reserve(request).await.unwrap();
    }
    let asked = Request::new(ListReservationsRequest {});
    let stream = grpc.list_reservations(asked).await.unwrap().into_inner();
    let listed: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(listed.len() as u64, orders);
    assert!(listed.is_sorted_by(|one, next| one.order_id < next.order_id), "each once");
    assert!(listed.iter().all(|one| one.state() == proto::inventory::v1::reservation::State::Held));
    assert_eq!(listed[0].items, [item("mug", 1)]);
}

#[tokio::test]
async fn an_invalid_reservation_is_refused_by_field() {
    let (_folder, grpc) = served([("mug", 5)]).await;
    let mut client = InventoryClient::new(InventoryServer::new(grpc));
    let id = id(1);
    for (request, field) in [
        (reserve("o-1", vec![item("mug", 1)]), "order_id"),
        (reserve(&id, vec![item("mug", 0)]), "items[0].quantity"),
        (reserve(&id, vec![]), "items"),
        (reserve(&id, vec![item("mug", 6)]), "items[0].quantity"),
        (reserve(&id, vec![item("mug", 101)]), "items[0].quantity"),
    ] {
        let refused = Error::from(client.reserve(request).await.unwrap_err());
        assert_eq!(refused.fields()[0].name, field);
    }
}
