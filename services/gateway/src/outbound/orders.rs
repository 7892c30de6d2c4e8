//! gRPC `mesh.orders.v1.Orders`.

use chassis::{Error, grpc::Channel};
use proto::{
    orders::v1::{CancelRequest, GetRequest, orders_client::OrdersClient},
    values::{CustomerId, OrderId},
};
use tonic::Status;

use super::named;
use crate::{
    requests::{OrderQuery, PlaceOrder},
    resources::{Order, OrderPage},
    wire,
};

/// Places orders and reads their state.
#[derive(Clone)]
pub(crate) struct Orders(OrdersClient<Channel>);

impl Orders {
    /// Calls may be retried: every call of the contract is idempotent.
    pub(crate) fn new(channel: Channel) -> Self {
        Self(OrdersClient::new(channel.idempotent()))
    }

    /// Places an order; the same key and order return the same order.
    pub(crate) async fn place(
        &self,
        customer: &CustomerId,
        order: PlaceOrder,
        key: String,
    ) -> Result<Order, Error> {
        let request = wire::place(customer, order, key)?;
        wire::order(self.0.clone().place(request).await.map_err(failed)?.into_inner().order)
    }

    pub(crate) async fn get(
        &self,
        customer: &CustomerId,
        order_id: &OrderId,
    ) -> Result<Order, Error> {
        let request = GetRequest { customer: customer.to_string(), order_id: order_id.to_string() };
        wire::order(self.0.clone().get(request).await.map_err(failed)?.into_inner().order)
    }

    /// A page of the customer's orders, newest first.
    pub(crate) async fn list(
        &self,
        customer: &CustomerId,
        query: OrderQuery,
    ) -> Result<OrderPage, Error> {
        let request = wire::list_orders(customer, query)?;
        let page = self.0.clone().list(request).await.map_err(failed)?.into_inner();
        let items: Result<_, _> =
            page.orders.into_iter().map(|order| wire::order(Some(order))).collect();
        Ok(OrderPage { items: items?, next_cursor: wire::next_cursor(page.next_page_token) })
    }

    pub(crate) async fn cancel(
        &self,
        customer: &CustomerId,
        order_id: &OrderId,
    ) -> Result<Order, Error> {
        let request =
            CancelRequest { customer: customer.to_string(), order_id: order_id.to_string() };
        wire::order(self.0.clone().cancel(request).await.map_err(failed)?.into_inner().order)
    }
}

fn failed(status: Status) -> Error {
    named("orders", status)
}
