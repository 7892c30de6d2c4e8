//! The clock → [`Orders::measure_open`].

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::orders::Orders;

/// As often as Prometheus scrapes; the query reads an index of the open orders.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures the open orders, forever.
pub(crate) async fn measure_open(orders: Arc<Orders>) -> anyhow::Result<()> {
    loop {
        if let Err(error) = orders.measure_open().await {
            // The last numbers stay; `mesh_database_up` and its alert say that they are old.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "open orders cannot be counted, trying again"
            );
        }
        sleep(INTERVAL).await;
    }
}
