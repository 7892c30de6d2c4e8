//! Both sides of a call, over a real connection.

mod contract;
mod port;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use self::contract::{ListPaymentsRequest, Payment, Payments, PaymentsClient, PaymentsServer};
use super::*;
use crate::{Error, Kind, deadline, metrics::Registry};

type Answer =
    Result<Response<futures::stream::Iter<std::vec::IntoIter<Result<Payment, Status>>>>, Status>;

/// Answers as the test says, and records what it received.
#[derive(Clone, Default)]
struct Ledger {
    calls: Arc<AtomicU32>,
    unavailable: u32,
    panics: bool,
    slow: bool,
    name: &'static str,
    /// The text that its refusal repeats, if it refuses.
    says: &'static str,
}

#[tonic::async_trait]
impl Payments for Ledger {
    type ListPaymentsStream = futures::stream::Iter<std::vec::IntoIter<Result<Payment, Status>>>;

    async fn list_payments(&self, _: Request<ListPaymentsRequest>) -> Answer {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call < self.unavailable {
            return Err(Error::new(Kind::Unavailable, "not yet").into());
        }
        if !self.says.is_empty() {
            let error = Error::new(Kind::NotFound, format!("no {}", self.says));
            return Err(error.reason("UNKNOWN").field(self.says, self.says).into());
        }
        assert!(!self.panics, "on purpose");
        if self.slow {
            std::future::pending::<()>().await;
        }
        let budget = deadline::remaining().map_or(0, |left| left.as_millis() as i64);
        let payment = Payment { order_id: self.name.into(), budget_ms: budget };
        Ok(Response::new(futures::stream::iter(vec![Ok(payment)])))
    }
}

struct Setup {
    servers: JoinSet<()>,
    addresses: Vec<SocketAddr>,
    server_side: Registry,
    client_side: Registry,
    channel: Channel,
    stop: CancellationToken,
    _keep: JoinSet<()>,
}

async fn setup(ledgers: &[Ledger]) -> Setup {
    let (server_side, client_side) = (Registry::new(), Registry::new());
    let edge = Edge::new(
        ServerMetrics::register(&server_side).unwrap(),
        server_side.register("mesh_panics_total", "Panics.", &[]).unwrap(),
    );
    let (mut servers, mut addresses, stop) = (JoinSet::new(), Vec::new(), CancellationToken::new());
    for ledger in ledgers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .layer(edge.clone())
            .add_service(PaymentsServer::new(ledger.clone()));
        let (incoming, stopped) =
            (TcpListenerStream::new(listener), stop.clone().cancelled_owned());
        servers.spawn(async move {
            server.serve_with_incoming_shutdown(incoming, stopped).await.unwrap()
        });
    }
    let text: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let metrics = ClientMetrics::register(&client_side).unwrap();
    let (channel, keep) = connect(&text.join(",").parse().unwrap(), metrics);
    let mut tasks = JoinSet::new();
    tasks.spawn(keep);
    Setup { servers, addresses, server_side, client_side, channel, stop, _keep: tasks }
}

/// The longest that a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, holds).await.is_ok(), "{what}: not in {PATIENCE:?}");
}

async fn ask(channel: &Channel) -> Result<Payment, Status> {
    let mut stream = PaymentsClient::new(channel.clone())
        .list_payments(ListPaymentsRequest {})
        .await?
        .into_inner();
    let payment = stream.message().await?.expect("one payment");
    while stream.message().await?.is_some() {}
    Ok(payment)
}

const METHOD: &str =
    r#"{rpc_method="mesh.payments.v1.Payments/ListPayments",rpc_response_status_code="#;

#[tokio::test]
async fn a_call_is_counted_on_both_sides_by_the_status_in_its_trailers() {
    let setup = setup(&[Ledger::default()]).await;
    ask(&setup.channel).await.unwrap();
    let server =
        format!(r#"rpc_server_call_duration_seconds_count{METHOD}"OK",rpc_system_name="grpc"}} 1"#);
    assert!(setup.server_side.text().contains(&server), "{}", setup.server_side.text());
    let client =
        format!(r#"rpc_client_call_duration_seconds_count{METHOD}"OK",rpc_system_name="grpc"}} 1"#);
    assert!(setup.client_side.text().contains(&client), "{}", setup.client_side.text());
    assert!(setup.server_side.text().contains("rpc_server_active_requests 0"));
}

#[tokio::test]
async fn the_remaining_budget_travels_and_ends_the_call_on_both_sides() {
    let setup = setup(&[Ledger { slow: true, ..Ledger::default() }]).await;
    let limit = Duration::from_millis(200);
    let late = deadline::within(limit, ask(&setup.channel)).await;
    let code = late.map_or(Code::DeadlineExceeded, |answer| answer.unwrap_err().code());
    assert_eq!(code, Code::DeadlineExceeded);
    let counted = format!(r#"rpc_server_call_duration_seconds_count{METHOD}"#);
    until("the call is counted", async || setup.server_side.text().contains(&counted)).await;
    let text = setup.server_side.text();
    assert!(text.contains(r#""DEADLINE_EXCEEDED""#) || text.contains(r#""CANCELLED""#), "{text}");
    let quick = self::setup(&[Ledger::default()]).await;
    let payment = deadline::within(PATIENCE, ask(&quick.channel)).await.unwrap().unwrap();
    let most = PATIENCE.as_millis() as i64;
    assert!((1..=most).contains(&payment.budget_ms), "the server knows what remains");
}

#[tokio::test]
async fn only_a_repeatable_call_is_repeated() {
    let setup = setup(&[Ledger { unavailable: 2, ..Ledger::default() }]).await;
    assert_eq!(ask(&setup.channel).await.unwrap_err().code(), Code::Unavailable);
    ask(&setup.channel.clone().idempotent()).await.unwrap();
    assert!(
        setup.client_side.text().contains("mesh_rpc_retries_total 1"),
        "{}",
        setup.client_side.text()
    );
}

#[tokio::test]
async fn repeats_have_a_budget() {
    let setup = setup(&[Ledger { unavailable: u32::MAX, ..Ledger::default() }]).await;
    let channel = setup.channel.clone().idempotent();
    // Together they may retry ten times a second and a fifth of their number; a single call would stay below.
    let many = (0..300).map(|_| ask(&channel));
    for refused in futures::future::join_all(many).await {
        assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    }
    assert!(!setup.client_side.text().contains("mesh_retry_budget_exhausted_total 0"));
}

#[tokio::test]
async fn who_is_away_until_the_deadline_is_said_to_be_away() {
    let setup = setup(&[Ledger { unavailable: u32::MAX, ..Ledger::default() }]).await;
    let channel = setup.channel.clone().idempotent();
    // An attempt in flight is cut off when the time is over: the busier the machine, the more often.
    until("the server is reported as unavailable", async || {
        let refused = deadline::within(Duration::from_millis(300), ask(&channel)).await;
        refused.is_ok_and(|answer| answer.unwrap_err().code() == Code::Unavailable)
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_an_answer_and_is_counted() {
    let setup = setup(&[Ledger { panics: true, ..Ledger::default() }]).await;
    assert_eq!(ask(&setup.channel).await.unwrap_err().code(), Code::Internal);
    assert!(setup.server_side.text().contains("mesh_panics_total 1"));
}

#[tokio::test]
async fn calls_go_to_every_replica_and_around_a_dead_one() {
    let named = |name| Ledger { name, ..Ledger::default() };
    let mut setup = setup(&[named("one"), named("two")]).await;
    let mut seen = std::collections::BTreeSet::new();
    until("both have answered", async || {
        seen.insert(ask(&setup.channel).await.unwrap().order_id);
        seen.len() == 2
    })
    .await;
    setup.stop.cancel();
    while setup.servers.join_next().await.is_some() {}
    let listener = TcpListener::bind(setup.addresses[0]).await.unwrap();
    setup.servers.spawn(async move {
        let server =
            tonic::transport::Server::builder().add_service(PaymentsServer::new(named("three")));
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
    let channel = setup.channel.clone().idempotent();
    let back = async {
        // Once the dead replica was noticed, no call fails any more.
        let mut in_a_row = 0;
        while in_a_row < 50 {
            in_a_row = if ask(&channel).await.is_ok_and(|payment| payment.order_id == "three") {
                in_a_row + 1
            } else {
                0
            };
        }
    };
    deadline::within(PATIENCE, back).await.unwrap();
}

#[test]
fn endpoints_are_read_and_written_the_same() {
    let text = "http://orders:9090,http://127.0.0.1:1";
    assert_eq!(text.parse::<Endpoints>().unwrap().to_string(), text);
}

#[test]
fn what_is_no_address_is_refused_with_what_was_expected() {
    for bad in ["", "orders:9090", "http://orders", "ftp://a:1"] {
        assert!(bad.parse::<Endpoints>().unwrap_err().contains("expected http://<host>:<port>"));
    }
}
