//! The spans of an event's way from the outbox to its handler.

use std::sync::{Arc, OnceLock};

use chassis::events::{Event, Handler, Observer};
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt,
    global,
    trace::{FutureExt, SpanId, SpanKind, TraceContextExt, TraceId, Tracer},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use parking_lot::Mutex;

use crate::{
    broker::Broker,
    contract::OrderEvent,
    service::{BatchLedger, Ledger, Plan, event, until},
};

static SPANS: OnceLock<InMemorySpanExporter> = OnceLock::new();

/// Records every span of this process.
pub(crate) fn record() -> &'static InMemorySpanExporter {
    SPANS.get_or_init(|| {
        // The log is shown for tests that fail.
        tracing_subscriber::fmt().with_test_writer().with_env_filter("info").init();
        let exporter = InMemorySpanExporter::default();
        global::set_tracer_provider(
            SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(),
        );
        chassis::telemetry::propagate();
        exporter
    })
}

/// Returns the finished spans that belong to a trace or are linked to it.
pub(crate) fn spans(trace: TraceId) -> Vec<SpanData> {
    let all = record().get_finished_spans().unwrap();
    let linked =
        |span: &SpanData| span.links.iter().any(|link| link.span_context.trace_id() == trace);
    all.into_iter().filter(|span| span.span_context.trace_id() == trace || linked(span)).collect()
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes.iter().find(|one| one.key.as_str() == key).map(|one| one.value.to_string())
}

/// Starts a span as a request would.
pub(crate) fn request(name: &'static str) -> Context {
    record();
    Context::new().with_span(global::tracer("test").start(name))
}

#[tokio::test]
async fn a_consumer_continues_the_producers_trace() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    let request = request("place");
    orders.publish("o-1", "flaky", 1).with_context(request.clone()).await;
    request.span().end();
    payments.until_applied(1).await;
    let trace = request.span().span_context().trace_id();
    until(async || named(&spans(trace), "process orders.events").len() == 1).await;

    let spans = spans(trace);
    let (send, process) =
        (named(&spans, "send orders.events")[0], named(&spans, "process orders.events")[0]);
    assert_eq!(send.parent_span_id, request.span().span_context().span_id());
    assert_eq!(
        (send.span_kind.clone(), process.span_kind.clone()),
        (SpanKind::Producer, SpanKind::Consumer)
    );
    assert_eq!(process.parent_span_id, send.span_context.span_id());
    assert_eq!(process.links[0].span_context.span_id(), send.span_context.span_id());
    assert_eq!(process.span_context.trace_id(), trace);
    for (key, value) in [
        ("messaging.system", "kafka"),
        ("messaging.destination.name", "orders.events"),
        ("messaging.operation.type", "process"),
        ("messaging.consumer.group.name", "payments"),
        ("cloudevents.event_type", "mesh.orders.v1.OrderPlaced"),
    ] {
        assert_eq!(attribute(process, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(send, "messaging.message.id"), attribute(process, "messaging.message.id"));
    assert_eq!(process.events.iter().filter(|event| event.name == "attempt failed").count(), 1);
    // The transactions of the handler: the first was rolled back, the second committed.
    let transactions = named(&spans, "orders.events");
    assert_eq!(transactions.len(), 2);
    assert!(transactions.iter().all(|span| span.parent_span_id == process.span_context.span_id()));
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn a_batch_of_one_event_belongs_to_the_trace_of_that_event() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let shipping = Plan::new("shipping", folder.path(), &broker)
        .start(|consumer, database| {
            consumer.handle_batches(database, BatchLedger::default()).unwrap()
        })
        .await;
    let request = request("a click");
    orders.publish("o-1", "ada", 1).with_context(request.clone()).await;
    shipping.until_applied(1).await;
    let trace = request.span().span_context().trace_id();
    until(async || named(&spans(trace), "process orders.events").len() == 1).await;

    let spans = spans(trace);
    let (send, process) =
        (named(&spans, "send orders.events")[0], named(&spans, "process orders.events")[0]);
    assert_eq!(process.parent_span_id, send.span_context.span_id());
    shipping.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn a_batch_is_linked_to_each_of_its_events() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    let requests = [request("first"), request("second"), request("third")];
    for (order, request) in requests.iter().enumerate() {
        orders.publish(&format!("o-{order}"), "ada", 1).with_context(request.clone()).await;
    }
    orders.drain().await;
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || broker.records("orders.events").len() == 3).await;
    let shipping = Plan::new("shipping", folder.path(), &broker)
        .start(|consumer, database| {
            consumer.handle_batches(database, BatchLedger::default()).unwrap()
        })
        .await;
    shipping.until_applied(3).await;
    let trace = |context: &Context| context.span().span_context().trace_id();
    until(async || named(&spans(trace(&requests[0])), "process orders.events").len() == 1).await;

    let first = spans(trace(&requests[0]));
    let batch = named(&first, "process orders.events")[0];
    assert_eq!(batch.parent_span_id, SpanId::INVALID, "a batch begins a trace of its own");
    let linked: Vec<_> = batch.links.iter().map(|link| link.span_context.trace_id()).collect();
    assert_eq!(linked, requests.iter().map(trace).collect::<Vec<_>>());
    assert!(batch.attributes.contains(&KeyValue::new("messaging.batch.message_count", 3)));
    shipping.drain().await;
    orders.drain().await;
}

/// Several header lines are one list; with two `traceparent` headers the event has no parent.
#[tokio::test]
async fn repeated_headers_are_combined_and_two_traceparents_begin_a_new_trace() {
    record();
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let propagated = Propagated::default();
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, _| consumer.observe(propagated.clone()).unwrap())
        .await;
    let placed = prost::Message::encode_to_vec(&event("o-1", "ada", 1));
    let parent =
        |span: &str| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902{span}-01");
    let (first, second) = (parent("b7"), parent("b8"));
    let lists =
        [("tracestate", "a=1"), ("tracestate", "b=2"), ("baggage", "x=1"), ("baggage", "y=2")];
    let one = [("traceparent", &*first)].into_iter().chain(lists).collect::<Vec<_>>();
    let two = one.iter().copied().chain([("traceparent", &*second)]).collect::<Vec<_>>();
    for headers in [one, two] {
        broker.send("orders.events", "o-1", &placed, &headers);
    }
    until(async || propagated.0.lock().len() == 2).await;
    let seen = propagated.0.lock().clone();
    let (state, trace, baggage) = &seen[0];
    assert_eq!((state.as_str(), baggage), ("a=1,b=2", &2));
    assert_eq!(*trace, TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap());
    let (state, other, baggage) = &seen[1];
    assert_eq!((state.as_str(), baggage), ("", &2), "the baggage is no part of the trace");
    assert_ne!(other, trace);
    payments.drain().await;
}

/// Records the trace state, the trace id, and the number of baggage entries that a handler would propagate.
#[derive(Clone, Default)]
struct Propagated(Arc<Mutex<Vec<(String, TraceId, usize)>>>);

impl Observer for Propagated {
    type Message = OrderEvent;
    type Error = chassis::Error;
    const TYPES: &'static [&'static str] = <Ledger as Handler>::TYPES;

    async fn observe(&self, event: Event<OrderEvent>) -> Result<(), chassis::Error> {
        let span = event.context.span().span_context().clone();
        let baggage = event.context.baggage().len();
        self.0.lock().push((span.trace_state().header(), span.trace_id(), baggage));
        Ok(())
    }
}

#[tokio::test]
async fn the_span_of_an_http_call_does_not_contain_the_password() {
    let context = request("order");
    let base = "http://ada:hunter2@127.0.0.1:1/v1";
    let limit = std::time::Duration::from_secs(10);
    let registry = chassis::metrics::Registry::new();
    let client = chassis::http::Client::for_tests("bank", base, limit, &registry).unwrap();
    client.post("/charges", "k", &()).with_context(context.clone()).await.unwrap_err();
    let spans = spans(context.span().span_context().trace_id());
    let url = attribute(named(&spans, "POST")[0], "url.full");
    assert_eq!(url.as_deref(), Some("http://127.0.0.1:1/v1/charges"));
    assert!(!format!("{spans:?}").contains("hunter2"), "{spans:?}");
}
