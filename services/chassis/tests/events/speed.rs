//! Measures the throughput. To run it: `cargo test --release -p chassis --test events -- --ignored --nocapture speed`.

use chassis::events::Publish;
use tokio::time::Instant;

use crate::{
    broker::Broker,
    service::{Ledger, Plan, event, until},
};

#[tokio::test]
#[ignore = "a measurement"]
async fn speed() {
    const EVENTS: usize = 20_000;
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    for chunk in 0..EVENTS / 100 {
        let mut tx = orders.database.begin("test").await.unwrap();
        for order in 0..100 {
            tx.publish(&event(&format!("o-{}", chunk * 100 + order), "ada", 1)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    orders.drain().await;

    let started = Instant::now();
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let pending = "select count(*) from outbox where sent_at is null";
    until(async || orders.database.query("count", pending).one::<(i64,)>().await.unwrap().0 == 0)
        .await;
    println!("relay: {:.0} rows/s", EVENTS as f64 / started.elapsed().as_secs_f64());

    let started = Instant::now();
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    let joined = started.elapsed();
    let count = "select count(*) from ledger";
    until(async || {
        payments.database.query("count", count).one::<(i64,)>().await.unwrap().0 == EVENTS as i64
    })
    .await;
    let took = (started.elapsed() - joined).as_secs_f64();
    println!(
        "joined after {joined:?}; consumer: {:.0} events/s, one SQLite transaction each",
        EVENTS as f64 / took
    );
    payments.drain().await;
    orders.drain().await;
}
