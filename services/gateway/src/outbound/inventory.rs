//! gRPC `mesh.inventory.v1.Inventory`.

use std::{collections::HashMap, time::Duration};

use chassis::{Error, deadline, grpc::Channel};
use proto::inventory::v1::{GetAvailabilityRequest, inventory_client::InventoryClient};

use super::error;

/// Availability adorns an answer that is good without it: nobody waits long for it, ...
const LIMIT: Duration = Duration::from_secs(1);
/// ... and never for most of the time that the answer itself has.
const SHARE: u32 = 4;

/// Reads the stock.
#[derive(Clone)]
pub(crate) struct Inventory(InventoryClient<Channel>);

impl Inventory {
    /// Calls are not repeated: whoever asks goes on without the answer.
    pub(crate) fn new(channel: Channel) -> Self {
        Self(InventoryClient::new(channel))
    }

    /// How many can be sold now of each product that inventory knows.
    pub(crate) async fn availability(
        &self,
        skus: Vec<String>,
    ) -> Result<HashMap<String, i64>, Error> {
        let mut client = self.0.clone();
        let limit = deadline::remaining().map_or(LIMIT, |left| LIMIT.min(left / SHARE));
        let answer =
            deadline::within(limit, client.get_availability(GetAvailabilityRequest { skus }))
                .await?;
        let lines = answer.map_err(|status| error("inventory", status))?.into_inner().lines;
        Ok(lines.into_iter().map(|line| (line.sku, i64::from(line.quantity))).collect())
    }
}
