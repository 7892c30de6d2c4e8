//! Nothing is lost and nothing happens twice, whoever dies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{Gateway, Options, Order};
use tokio::task::JoinSet;

const SERVICES: [&str; 7] =
    ["gateway", "catalog", "inventory", "orders", "payments", "shipping", "notifications"];

/// Customers that order, whatever happens, until they are told to stop; what was accepted is what must not be lost.
pub(crate) struct Customers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Vec<Order>>,
}

impl Customers {
    pub(crate) fn at(gateway: &Gateway) -> Self {
        let (stop, mut tasks) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for token in ["tok_ok", "tok_ok", "tok_declined", "tok_flaky"] {
            let (gateway, stop) = (gateway.clone(), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut accepted = Vec::new();
                let body = format!(
                    r#"{{"items":[{{"sku":"teapot","quantity":1}}],"payment_token":"{token}"}}"#
                );
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway
                        .try_send(reqwest::Method::POST, "/api/orders", &[], Some(&body))
                        .await;
                    match answer {
                        Some(answer) if answer.status == 202 => accepted.push(Order {
                            id: answer.text("/id").to_owned(),
                            trace_id: answer.text("/trace_id").to_owned(),
                        }),
                        // Refused or unreachable: a person would wait a moment too.
                        _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                accepted
            });
        }
        Self { stop, tasks }
    }

    pub(crate) async fn leave(self) -> Vec<Order> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.concat()
    }
}

/// Every order that was accepted is there, and is in a final state.
pub(crate) async fn all_final(gateway: &Gateway, accepted: &[Order]) {
    assert!(!accepted.is_empty(), "somebody got an order through");
    for order in accepted {
        let answer = gateway.get(&format!("/api/orders/{}", order.id)).await;
        assert!(["completed", "cancelled"].contains(&answer.text("/status")), "{answer:?}");
    }
}

/// `kill -9` of each service in turn while orders flow.
pub(crate) async fn any_service_may_die_while_orders_flow(options: Options) {
    let mesh = options.start().await;
    let customers = Customers::at(&mesh.gateway());
    for service in SERVICES {
        mesh.kill(service).await;
    }
    let accepted = customers.leave().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}

/// `kill -9` of the supervisor, with the embedded brokers in it: nothing outlives it, and the next start finishes everything,
/// though the brokers have forgotten.
pub(crate) async fn the_supervisor_may_die_too(options: Options) {
    let mut mesh = options.start().await;
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let customers = Customers::at(&mesh.gateway());
        // In the middle of it: some are completed, more are under way.
        let first = mesh.gateway().place("tok_ok").await;
        mesh.gateway().until_status(&first, "completed").await;
        mesh.gateway().place("tok_slow").await;
        mesh.kill_supervisor().await;
        accepted.extend(customers.leave().await);
        mesh.up();
        mesh.until_ready().await;
    }
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}
