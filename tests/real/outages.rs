//! Kafka, NATS and PostgreSQL die while orders flow, and come back: nothing is lost, and nothing happens twice.

use harness::{Mesh, until};

use crate::{
    parts,
    stories::crashes::{Customers, all_final},
};

async fn orders_survive_without(part: &str) {
    let mesh = crate::real().start().await;
    let customers = Customers::at(&mesh.gateway());
    let before = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&before, "completed").await;
    parts::tell("kill", part).await;
    // An order during the outage is refused, or is accepted and waits.
    let gateway = mesh.gateway();
    until("an order without the part", || async {
        Some(gateway.order(1, "teapot", "tok_ok").await)
    })
    .await;
    if part == "kafka" {
        outboxes_tell_that_they_wait(&mesh).await;
    }
    parts::tell("restart", part).await;
    until("orders to be completed again", || async {
        let answer = gateway.order(1, "teapot", "tok_ok").await;
        (answer.status == 202).then_some(())
    })
    .await;
    let accepted = customers.leave().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}

/// The alert for a stuck outbox must fire while it is stuck, so the metrics must show it during the outage.
async fn outboxes_tell_that_they_wait(mesh: &Mesh) {
    until("the outbox of orders to say that it waits", || async {
        let metrics = mesh.metrics("orders").await;
        let waits = metrics.sum("mesh_outbox_pending", &[]) > 0.0
            && metrics.sum("mesh_outbox_oldest_age_seconds", &[]) > 2.0;
        waits.then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_kafka_loses_no_order() {
    orders_survive_without("kafka").await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_nats_loses_no_order() {
    orders_survive_without("nats").await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn an_outage_of_postgresql_loses_no_order() {
    orders_survive_without("postgres").await;
}
