//! gRPC `mesh.inventory.v1.Inventory`: stock held under an order's id.

use chassis::{Error, grpc::Channel};
use proto::inventory::v1::{Item, ReserveRequest, inventory_client::InventoryClient};

use crate::domain::Order;

/// A client of the inventory.
pub(crate) struct Inventory {
    client: InventoryClient<Channel>,
}

impl Inventory {
    /// The channel may repeat calls: reserving the same items for the same order again changes nothing.
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: InventoryClient::new(channel.idempotent()) }
    }

    /// Holds all items of the order or none.
    pub(crate) async fn reserve(&self, order: &Order) -> Result<(), Error> {
        let items = order
            .items
            .iter()
            .map(|item| Item { sku: item.sku.to_string(), quantity: item.quantity.into() });
        let request = ReserveRequest {
            order_id: order.id.to_string(),
            customer: order.customer.to_string(),
            items: items.collect(),
        };
        self.client.clone().reserve(request).await?;
        Ok(())
    }
}
