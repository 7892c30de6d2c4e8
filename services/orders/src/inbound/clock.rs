//! The clock → [`Orders::measure_open`].

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::orders::Orders;

/// As often as Prometheus asks; a look reads an index of the orders that are under way.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures which orders are open, for ever.
pub(crate) async fn measure_open(orders: Arc<Orders>) -> anyhow::Result<()> {
    loop {
        if let Err(error) = orders.measure_open().await {
            // What was measured last stays; `mesh_database_up` and its alert say why it is old.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "open orders cannot be counted, trying again"
            );
        }
        sleep(INTERVAL).await;
    }
}
