//! Tests of a whole port: its health and reflection, and the effect of slow callers.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::{body::Body, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Layer, ServiceExt};

use super::{contract::NAME, *};
use crate::{
    readiness::Readiness,
    server::{self, Port, Protocol},
};

/// Answers with a stream that begins and never ends.
#[derive(Clone)]
struct Endless;

#[tonic::async_trait]
impl Payments for Endless {
    type ListPaymentsStream = BoxStream<'static, Result<Payment, Status>>;

    async fn list_payments(
        &self,
        _: Request<ListPaymentsRequest>,
    ) -> Result<Response<Self::ListPaymentsStream>, Status> {
        let first = futures::stream::iter([Ok(Payment::default())]);
        Ok(Response::new(first.chain(futures::stream::pending()).boxed()))
    }
}

fn edge(registry: &Registry) -> Edge {
    let panics = registry.register("mesh_panics_total", "Panics.", &[]).unwrap();
    Edge::new(ServerMetrics::register(registry).unwrap(), panics)
}

struct Stage {
    channel: Channel,
    readiness: Readiness,
    _tasks: JoinSet<()>,
}

async fn stage() -> Stage {
    let registry = Registry::new();
    let readiness = Readiness::new(&registry).unwrap();
    let services = Services::new(&[], PaymentsServer::new(Endless));
    let Served { service, health } = services.served(edge(&registry), &readiness).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let metrics = server::Metrics::register(&registry).unwrap();
    let port = Port { name: "grpc", protocol: Protocol::Grpc, connections: 16, metrics };
    let mut tasks = JoinSet::new();
    tasks.spawn(server::serve(listener, service, port, std::future::pending()));
    tasks.spawn(async move { match health.follow().await {} });
    let channel = Channel::from_shared(uri).unwrap().connect().await.unwrap();
    Stage { channel, readiness, _tasks: tasks }
}

impl Stage {
    async fn until(&self, status: i32) {
        for service in [NAME, ""] {
            let mut client = HealthClient::new(self.channel.clone());
            until("its health is reported", async || {
                let asked = HealthCheckRequest { service: service.into() };
                client.check(asked).await.unwrap().into_inner().status == status
            })
            .await;
        }
    }
}

#[tokio::test]
async fn health_follows_the_readiness_of_the_process_by_service() {
    let stage = stage().await;
    let (serving, not_serving) = (1, 2);
    stage.until(serving).await;
    let latch = stage.readiness.latch("kafka");
    stage.until(not_serving).await;
    latch.release();
    stage.until(serving).await;
    stage.readiness.drain();
    stage.until(not_serving).await;
    let unknown = HealthCheckRequest { service: "mesh.orders.v1.Orders".into() };
    let refused = HealthClient::new(stage.channel.clone()).check(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "it is another port's");
}

macro_rules! listed {
    ($stage:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let mut client = ServerReflectionClient::new($stage.channel.clone());
        let asked = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let asked = futures::stream::iter([asked]);
        let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
        match answers.message().await.unwrap().unwrap().message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect::<BTreeSet<_>>()
            }
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_what_the_port_serves_in_both_versions() {
    let stage = stage().await;
    let names = [
        NAME,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    let names = BTreeSet::from(names.map(str::to_owned));
    assert_eq!(listed!(stage, v1), names);
    assert_eq!(listed!(stage, v1alpha), names);
}

#[tokio::test]
async fn a_stream_ends_with_its_callers_deadline() {
    let registry = Registry::new();
    let service = edge(&registry).layer(PaymentsServer::new(Endless));
    let mut asked = Request::new(ListPaymentsRequest {});
    asked.set_timeout(Duration::from_millis(200));
    let mut stream = PaymentsClient::new(service).list_payments(asked).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let late = stream.message().await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    let counted = r#"rpc_response_status_code="DEADLINE_EXCEEDED""#;
    assert!(registry.text().contains(counted), "{}", registry.text());
}

/// A call whose message begins and never ends.
fn stuck() -> http::Request<Body> {
    let begin = Ok::<_, Status>(Frame::data(Bytes::from_static(&[0, 0, 0])));
    let body = StreamBody::new(futures::stream::iter([begin]).chain(futures::stream::pending()));
    let request = http::Request::post(format!("/{NAME}/ListPayments"));
    request.header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}

#[tokio::test]
async fn messages_that_arrive_slowly_cost_others_nothing() {
    let service = edge(&Registry::new()).layer(PaymentsServer::new(Ledger::default()));
    let mut slow = JoinSet::new();
    for _ in 0..300 {
        slow.spawn(service.clone().oneshot(stuck()));
    }
    tokio::task::yield_now().await;
    let mut client = PaymentsClient::new(service);
    let mut stream = client.list_payments(ListPaymentsRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
}

#[tokio::test]
async fn a_message_that_is_too_large_can_never_succeed() {
    let service = edge(&Registry::new()).layer(PaymentsServer::new(Ledger::default()));
    let body = Body::new(http_body_util::Full::new(Bytes::from(vec![0; (1 << 20) + 1])));
    let request = http::Request::post(format!("/{NAME}/ListPayments")).body(body).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    let refused = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(refused.message().contains("1048576 bytes"), "{refused:?}");
}

/// An answer that repeats the request is cut; other calls on the same connection succeed.
#[tokio::test]
async fn one_answer_with_a_long_text_harms_no_other_call() {
    let long = Ledger { says: "é".repeat(100_000).leak(), ..Ledger::default() };
    let setup = setup(&[long]).await;
    for _ in 0..20 {
        let refused = ask(&setup.channel).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        assert!(refused.message().starts_with("no é") && refused.message().ends_with('…'));
    }
}
