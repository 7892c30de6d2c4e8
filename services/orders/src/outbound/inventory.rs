//! gRPC `mesh.inventory.v1.Inventory`: stock held under an order's id.

use chassis::{Error, grpc::Channel};
use proto::inventory::v1::{Line, ReserveRequest, inventory_client::InventoryClient};

/// A client of the inventory.
pub(crate) struct Inventory {
    client: InventoryClient<Channel>,
}

impl Inventory {
    /// The channel may repeat calls: reserving the same lines for the same order again changes nothing.
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: InventoryClient::new(channel.idempotent()) }
    }

    /// Holds all items or none.
    pub(crate) async fn reserve(
        &self,
        order: &str,
        customer: &str,
        items: &[(String, u32)],
    ) -> Result<(), Error> {
        let lines = items.iter().map(|(sku, quantity)| Line {
            sku: sku.clone(),
            quantity: i32::try_from(*quantity).unwrap_or(i32::MAX),
        });
        let request = ReserveRequest {
            order_id: order.to_owned(),
            customer: customer.to_owned(),
            lines: lines.collect(),
        };
        self.client.clone().reserve(request).await?;
        Ok(())
    }
}
