use async_nats::{HeaderMap, Message as Envelope};
use futures::{StreamExt, stream};
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId, global,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::*;

#[derive(Clone, PartialEq, prost::Message)]
struct LiveUpdate {
    #[prost(string, tag = "1")]
    order_id: String,
}

struct LiveOrders;

impl Subject for LiveOrders {
    type Message = LiveUpdate;
    const TEMPLATE: &'static str = "live.orders.{customer}.{order}";
}

const TRACE: TraceId = TraceId::from_bytes([7; 16]);

fn sender() -> Context {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let span = SpanId::from_bytes([9; 8]);
    Context::new().with_remote_span_context(SpanContext::new(
        TRACE,
        span,
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    ))
}

fn envelope(headers: HeaderMap, payload: Vec<u8>) -> Envelope {
    Envelope {
        subject: "live.orders.ada.7".into(),
        reply: None,
        payload: payload.into(),
        headers: Some(headers),
        status: None,
        description: None,
        length: 0,
    }
}

fn trace_of(context: &Context) -> TraceId {
    context.span().span_context().trace_id()
}

#[test]
fn the_trace_travels_in_the_headers() {
    let headers = trace::inject(&sender());
    let received = trace::received(&envelope(headers, Vec::new()), LiveOrders::TEMPLATE);
    assert_eq!(trace_of(&received), TRACE);
}

#[test]
fn a_header_is_found_however_it_is_written() {
    let headers = trace::inject(&sender());
    let mut shouted = HeaderMap::new();
    for (name, values) in headers.iter() {
        shouted.insert(name.to_string().to_uppercase(), values[0].clone());
    }
    let received = trace::received(&envelope(shouted, Vec::new()), LiveOrders::TEMPLATE);
    assert_eq!(trace_of(&received), TRACE);
}

#[tokio::test]
async fn an_undecodable_message_is_skipped_and_counted() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let good = LiveUpdate { order_id: "7".into() };
    let bad = envelope(HeaderMap::new(), b"\xff\xff not protobuf".into());
    let messages = stream::iter([bad, envelope(trace::inject(&sender()), good.encode_to_vec())]);

    let mut subscription =
        Subscription::<LiveUpdate>::new(messages.boxed(), LiveOrders::TEMPLATE, metrics);

    let live = subscription.next().await.unwrap();
    assert_eq!(live.body, good);
    assert_eq!(trace_of(&live.context), TRACE);
    assert!(subscription.next().await.is_none());
    let text = registry.text();
    assert!(text.contains("mesh_live_dropped_total{reason=\"undecodable\"} 1"), "{text}");
}
