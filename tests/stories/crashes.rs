//! Nothing is lost and nothing happens twice, whichever process dies.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{Answer, Gateway, Options, Order, until};
use tokio::{task::JoinSet, time::Instant};

/// Slightly less than the gateway's `deadline`, at which it answers 504.
const DEADLINE: Duration = Duration::from_millis(4_900);

/// Customers that place orders, whatever happens, until they are stopped. The accepted orders must not be lost.
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
                        // The order was refused, or the gateway is unreachable: a person would wait a moment, too.
                        _ => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
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

/// Every accepted order exists, and is in a final state.
pub(crate) async fn all_final(gateway: &Gateway, accepted: &[Order]) {
    assert!(!accepted.is_empty(), "somebody got an order through");
    for order in accepted {
        let answer = gateway.get(&format!("/api/orders/{}", order.id)).await;
        assert!(["completed", "cancelled"].contains(&answer.text("/status")), "{answer:?}");
    }
}

/// `kill -9` of each service in turn while orders flow.
pub(crate) async fn a_killed_service_loses_no_order(options: Options) {
    let mesh = options.start().await;
    let customers = Customers::at(&mesh.gateway());
    for service in registry::of_the_mesh() {
        mesh.kill(service).await;
    }
    let accepted = customers.leave().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}

/// What the mesh guarantees to a client while one service after another dies: each request is accepted, or refused with 503
/// and `Retry-After`, or ends with 504 at its deadline, or fails because the gateway itself is starting again; repeated with
/// its key, it becomes one order.
pub(crate) async fn a_request_refused_during_a_crash_succeeds_when_repeated(options: Options) {
    let mesh = options.start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut customers = JoinSet::new();
    for name in ["ada", "bob", "eve"] {
        customers.spawn(patient(mesh.gateway(), name, Arc::clone(&stop)));
    }
    for service in registry::of_the_mesh() {
        mesh.kill(service).await;
    }
    stop.store(true, Ordering::Relaxed);
    let accepted = customers.join_all().await.concat();
    let distinct: HashSet<_> = accepted.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(distinct.len(), accepted.len(), "a key is one order");
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}

/// Places one order after the other, each with a key of its own, and repeats each request until it is accepted.
async fn patient(gateway: Gateway, name: &'static str, stop: Arc<AtomicBool>) -> Vec<Order> {
    let mut accepted = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{name}-{number}");
        let what = format!("{key} to be accepted");
        let answer = until(&what, || async {
            let answer = place_with_key(&gateway, &key).await?;
            (answer.status == 202).then_some(answer)
        });
        let answer = answer.await;
        accepted.push(Order {
            id: answer.text("/id").to_owned(),
            trace_id: answer.text("/trace_id").to_owned(),
        });
    }
    accepted
}

/// One attempt to place an order; no answer if the gateway is away.
async fn place_with_key(gateway: &Gateway, key: &str) -> Option<Answer> {
    let body = r#"{"items":[{"sku":"teapot","quantity":1}],"payment_token":"tok_ok"}"#;
    let (began, headers) = (Instant::now(), [("idempotency-key", key)]);
    let answer =
        gateway.try_send(reqwest::Method::POST, "/api/orders", &headers, Some(body)).await?;
    match answer.status {
        202 => {}
        503 => assert!(!answer.header("retry-after").is_empty(), "{answer:?}"),
        504 => assert!(began.elapsed() >= DEADLINE, "refused before its deadline: {answer:?}"),
        _ => panic!("unexpected answer: {answer:?}"),
    }
    if answer.status != 202 {
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    Some(answer)
}

/// `kill -9` of the supervisor, which contains the embedded brokers: no process outlives it, and the next start finishes
/// every order, although the brokers have lost their data.
pub(crate) async fn a_killed_supervisor_loses_no_order(options: Options) {
    let mut mesh = options.start().await;
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let customers = Customers::at(&mesh.gateway());
        // The kill comes in the middle of the flows: some orders are completed, more are in flight.
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
