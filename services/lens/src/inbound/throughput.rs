//! Measures how fast lens takes spans, how much memory they need, and how long it takes to keep and to export them:
//! `cargo test --release -p lens -- --ignored --nocapture takes_spans keeps_spans`.

use std::time::Duration;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::Link},
};
use prost::Message;
use tokio::time::Instant;

use super::{export, otlp::spans_of};
use crate::{
    config::Flow,
    store::{Loader, Search, Store},
    topology::Topology,
};

const SERVICES: [&str; 7] =
    ["gateway", "orders", "inventory", "payments", "shipping", "notifications", "catalog"];

/// The spans of one order in the mesh: half of them are of calls, half of messages.
const SPANS_OF_ORDER: u64 = 36;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    value_of(key, Any::StringValue(value.into()))
}

fn value_of(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn span_of(order: u64, number: u64) -> Span {
    let trace_id = (u128::from(order.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
        | u128::from(order))
    .to_be_bytes()
    .to_vec();
    let id = |number: u64| {
        (order << 16 | (number + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec()
    };
    let kind = [3, 2, 4, 5][number as usize % 4];
    let service = SERVICES[(number as usize / 2) % 7];
    let mut attributes = if kind < 4 {
        vec![
            text("rpc.system.name", "grpc"),
            text("rpc.method", format!("mesh.{service}.v1.Service/Method")),
            text("rpc.response.status_code", "OK"),
        ]
    } else {
        vec![
            text("messaging.system", "kafka"),
            text("messaging.destination.name", "orders.events"),
            text("messaging.operation.name", if kind == 4 { "send" } else { "process" }),
            text("messaging.operation.type", if kind == 4 { "send" } else { "process" }),
            text("messaging.consumer.group.name", service),
            text("messaging.destination.partition.id", (order % 6).to_string()),
            value_of("messaging.kafka.offset", Any::IntValue(order as i64)),
            text("messaging.message.id", format!("{order:08x}-0000-4000-8000-{number:012x}")),
        ]
    };
    if number % 6 == 1 {
        attributes.push(text("order.id", format!("{order:08x}-0000-5000-8000-000000000000")));
        attributes.push(text("order.status", "placed"));
    }
    let start = 1_767_323_045_000_000_000 + order * 5_000_000 + number * 300_000;
    let links = if kind == 5 {
        vec![Link { trace_id: trace_id.clone(), span_id: id(number - 1), ..Link::default() }]
    } else {
        Vec::new()
    };
    Span {
        span_id: id(number),
        parent_span_id: if number == 0 { Vec::new() } else { id(number - 1) },
        trace_id,
        name: format!("operation {}", number % 12),
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 250_000 + order % 1_000,
        attributes,
        links,
        ..Span::default()
    }
}

/// What one service sends for a hundred orders.
fn batch(first_order: u64, service: usize) -> Vec<u8> {
    let numbers = (0..SPANS_OF_ORDER).filter(|number| (*number as usize / 2) % 7 == service);
    let spans = numbers.flat_map(|number| {
        (first_order..first_order + 100).map(move |order| span_of(order, number))
    });
    let resource =
        ["namespace", "version", "instance.id"].map(|key| text(&format!("service.{key}"), "0.1.0"));
    let attributes = [&[text("service.name", SERVICES[service])][..], &resource].concat();
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "chassis".into(),
                    ..InstrumentationScope::default()
                }),
                spans: spans.collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

/// A full lens, saved, restored and exported.
#[test]
#[ignore = "a measurement, not a promise: it wants --release and a quiet machine"]
fn keeps_spans() {
    let budget = 40 << 20;
    let new = || Store::new(budget, Flow::default().into());
    let store = new();
    let mut hundred = 0;
    while hundred < 1_000 && store.usage().bytes < budget * 9 / 10 {
        for service in 0..SERVICES.len() {
            let message = batch(1 + hundred * 100, service);
            let request = ExportTraceServiceRequest::decode(message.as_slice()).unwrap();
            for spans in &spans_of(request).0 {
                store.take_spans(spans);
            }
        }
        hundred += 1;
    }
    let (started, mut parts, mut bytes) = (Instant::now(), Vec::new(), 0);
    let emit = |part, contents: &[u8]| {
        bytes += contents.len();
        parts.push((part, contents.to_vec()));
        Ok(())
    };
    store.dump(64 << 20, emit).unwrap();
    println!("{:?}: {bytes} bytes copied in {:?}", store.usage(), started.elapsed());

    let (started, mut loader) = (Instant::now(), Loader::new());
    let (restored, topology) = (new(), Topology::new(budget));
    let now = Duration::from_secs(1_767_323_045 + 3_600);
    for (part, contents) in &parts {
        for spans in &loader.read(*part, contents).spans {
            restored.take_spans(spans);
            topology.observe(spans, now);
        }
    }
    println!("{:?}: restored in {:?}", restored.usage(), started.elapsed());
    assert_eq!(restored.usage().traces, store.usage().traces);

    let (started, mut next, mut bytes) = (Instant::now(), 0, 0);
    loop {
        let traces = store.traces_from(&mut next, 50);
        if traces.is_empty() {
            break;
        }
        let mut out = Vec::new();
        traces.into_iter().for_each(|trace| export::write_trace(trace, &mut out));
        bytes += out.len();
    }
    println!("{bytes} bytes of JSON in {:?}", started.elapsed());
}

fn resident_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4_096.0
}

#[test]
#[ignore = "a measurement, not a promise: it wants --release and a quiet machine"]
fn takes_spans() {
    let budget = 64 << 20;
    let (store, topology) = (Store::new(budget, Flow::default().into()), Topology::new(budget));
    let before = resident_bytes();
    let (mut taken, mut evicted, mut busy) = (0, 0, Duration::ZERO);
    let mut full_at = None;
    for hundred in 0..400 {
        for service in 0..SERVICES.len() {
            let message = batch(1 + hundred * 100, service);
            let started = Instant::now();
            let (batches, _) =
                spans_of(ExportTraceServiceRequest::decode(message.as_slice()).unwrap());
            for spans in &batches {
                let result = store.take_spans(spans);
                topology.observe(spans, Duration::from_secs(1_767_323_045 + hundred / 2));
                evicted += result.evicted_spans;
                taken += result.kept;
            }
            evicted += store.reserve(topology.bytes()).evicted_spans;
            busy += started.elapsed();
            full_at = full_at.or((evicted > 0).then_some(taken));
        }
    }
    let (usage, there) = (store.usage(), taken - evicted);
    println!(
        "{taken} spans at {:.0} a second, from protobuf to memory and snapshot",
        taken as f64 / busy.as_secs_f64()
    );
    println!("full after {full_at:?}; {there} spans in {} traces", usage.traces);
    println!(
        "{:.0} bytes a span, {} in the snapshot",
        usage.bytes as f64 / there as f64,
        topology.bytes()
    );
    println!("{} accounted for, {:.0} resident", usage.bytes, resident_bytes() - before);

    let question =
        |tags| Search { service: Some("orders".into()), tags, limit: 20, ..Search::default() };
    for (what, tags) in
        [("newest", vec![]), ("all, in vain", vec![("no".to_owned(), "such".to_owned())])]
    {
        let started = Instant::now();
        let found = store.search(&question(tags)).len();
        println!("a search of the {what} finds {found} in {:?}", started.elapsed());
    }
    assert!(taken as f64 / busy.as_secs_f64() > 10_000.0);
    assert!(usage.bytes <= budget);
}
