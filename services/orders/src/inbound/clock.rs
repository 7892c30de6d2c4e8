//! The clock → [`Orders::measure_open`].

use std::{sync::Arc, time::Duration};

use chassis::retry::every;

use crate::orders::Orders;

/// As often as Prometheus scrapes; the query reads an index of the open orders.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures the open orders, forever. In an outage the last numbers stay; `mesh_database_up` and its alert show that they are old.
pub(crate) async fn measure_open(orders: Arc<Orders>) -> anyhow::Result<()> {
    every(INTERVAL, "count open orders", || async { orders.measure_open().await.map(|()| false) })
        .await
}
