//! gRPC `mesh.inventory.v1.Inventory`.

use std::{collections::HashMap, time::Duration};

use chassis::{Error, deadline, grpc::Channel};
use proto::inventory::v1::{GetAvailabilityRequest, inventory_client::InventoryClient};

use super::named;

/// An answer is useful without availability, so a request waits for it no longer than this, ...
const LIMIT: Duration = Duration::from_secs(1);
/// ... and no longer than this fraction of the time that the request has left.
const SHARE: u32 = 4;

/// Reads the stock.
#[derive(Clone)]
pub(crate) struct Inventory(InventoryClient<Channel>);

impl Inventory {
    /// Calls are not retried: the gateway answers without availability instead.
    pub(crate) fn new(channel: Channel) -> Self {
        Self(InventoryClient::new(channel))
    }

    /// The quantity that can be sold now, for each product that inventory knows.
    pub(crate) async fn availability(
        &self,
        skus: Vec<String>,
    ) -> Result<HashMap<String, i64>, Error> {
        let mut client = self.0.clone();
        let limit = deadline::remaining().map_or(LIMIT, |left| LIMIT.min(left / SHARE));
        let answer =
            deadline::within(limit, client.get_availability(GetAvailabilityRequest { skus }))
                .await?;
        let available = answer.map_err(|status| named("inventory", status))?.into_inner().items;
        Ok(available.into_iter().map(|one| (one.sku, i64::from(one.quantity))).collect())
    }
}
