//! What the store guarantees.

use proptest::prelude::*;

use super::*;
use crate::domain::{Attribute, Event, Link, Log, Severity, SpanId, Status, Value};

const SECOND: u64 = 1_000_000_000;

fn rules() -> Rules {
    Rules {
        id: "order.id".to_owned(),
        state: "order.status".to_owned(),
        last: vec!["completed".to_owned(), "cancelled".to_owned()],
    }
}

fn store(budget: usize) -> Store {
    Store::new(budget, rules())
}

fn span(trace: u128, id: u64, name: &str) -> Span {
    Span {
        trace: TraceId::new(trace).unwrap(),
        id: SpanId::new(id).unwrap(),
        parent: SpanId::new(id - 1),
        name: name.to_owned(),
        kind: Kind::Server,
        status: Status::Unset,
        status_message: String::new(),
        trace_state: String::new(),
        start_ns: 1_000 * SECOND + id,
        duration_ns: 5_000_000,
        attributes: vec![text("rpc.system.name", "grpc"), text("rpc.method", name)],
        events: Vec::new(),
        links: Vec::new(),
    }
}

fn text(key: &str, value: &str) -> Attribute {
    Attribute { key: key.to_owned(), value: Value::Text(value.to_owned()) }
}

fn sent_by(service: &str, spans: Vec<Span>) -> Spans {
    let source = Source {
        service: service.to_owned(),
        attributes: vec![text("service.instance.id", service)],
    };
    Spans {
        source,
        scopes: vec![(Scope { name: "chassis".to_owned(), version: String::new() }, spans)],
    }
}

fn line(trace: u128, severity: &str, body: &str) -> Log {
    Log {
        at_ns: SECOND,
        severity: Severity::parse(severity).unwrap(),
        body: body.to_owned(),
        target: "orders::store".to_owned(),
        trace: TraceId::new(trace),
        span: SpanId::new(7),
        attributes: vec![text("order.id", "17")],
    }
}

fn logged_by(service: &str, lines: Vec<Log>) -> Logs {
    Logs { source: Source { service: service.to_owned(), attributes: Vec::new() }, lines }
}

fn bodies(store: &Store, wanted: &LogQuery) -> Vec<String> {
    store.lines(wanted).lines.into_iter().map(|line| line.log.body).collect()
}

#[test]
fn a_trace_comes_back_as_it_was_sent() {
    let mut sent = span(1, 2, "Place");
    sent.status = Status::Error;
    sent.status_message = "out of stock".to_owned();
    sent.trace_state = "a=b".to_owned();
    sent.events = vec![Event {
        at_ns: sent.start_ns + 9,
        name: "exception".into(),
        attributes: vec![text("k", "v")],
    }];
    sent.links = vec![Link {
        trace: TraceId::new(u128::MAX).unwrap(),
        span: SpanId::new(u64::MAX).unwrap(),
    }];
    let store = store(1 << 20);
    store.take_spans(&sent_by("orders", vec![sent.clone()]));
    store.take_spans(&sent_by("gateway", vec![span(1, 1, "POST /api/orders")]));

    let trace = store.trace(sent.trace).unwrap();
    assert_eq!(trace.spans.len(), 2);
    assert_eq!(trace.spans[1].span, sent, "by start, not by arrival");
    assert_eq!(trace.sources[trace.spans[1].source].service, "orders");
    assert_eq!(trace.spans[1].scope.name, "chassis");
    assert_eq!(store.trace(TraceId::new(2).unwrap()), None);
}

#[test]
fn a_span_that_was_exported_twice_is_there_once() {
    let store = store(1 << 20);
    store.take_spans(&sent_by("orders", vec![span(1, 1, "Place")]));
    store.take_spans(&sent_by("orders", vec![span(1, 1, "Place")]));
    assert_eq!(store.trace(TraceId::new(1).unwrap()).unwrap().spans.len(), 1);
}

#[test]
fn the_oldest_traces_go_first_and_go_whole() {
    let store = store(256 << 10);
    let mut evicted = 0;
    for trace in 1..=2_000 {
        evicted += store
            .take_spans(&sent_by("orders", (1..=5).map(|id| span(trace, id, "Place")).collect()))
            .evicted_spans;
    }
    let there: Vec<u128> =
        (1..=2_000).filter(|id| store.trace(TraceId::new(*id).unwrap()).is_some()).collect();
    let oldest = there[0];
    assert!((100..2_000).contains(&there.len()), "{}", there.len());
    assert_eq!(there, (oldest..=2_000).collect::<Vec<_>>(), "no gaps");
    assert!(
        there.iter().all(|id| store.trace(TraceId::new(*id).unwrap()).unwrap().spans.len() == 5)
    );
    assert_eq!(evicted, (oldest as u64 - 1) * 5, "what is gone is counted");
}

#[test]
fn a_late_span_of_an_evicted_trace_begins_a_new_entry() {
    let store = store(256 << 10);
    store.take_spans(&sent_by(
        "orders",
        vec![span(1, 1, "Place"), span(1, 2, "send orders.events")],
    ));
    for trace in 2..=5_000 {
        store.take_spans(&sent_by("orders", vec![span(trace, 1, "Place")]));
    }
    assert_eq!(store.trace(TraceId::new(1).unwrap()), None);
    store.take_spans(&sent_by("payments", vec![span(1, 3, "process orders.events")]));
    assert_eq!(store.trace(TraceId::new(1).unwrap()).unwrap().spans.len(), 1);
}

#[test]
fn a_runaway_trace_does_not_push_out_the_others() {
    let store = store(1 << 20);
    store.take_spans(&sent_by("orders", vec![span(1, 1, "Place")]));
    let taken =
        store.take_spans(&sent_by("loop", (1..=50_000).map(|id| span(2, id, "again")).collect()));
    assert!(taken.left_out > 10_000, "{taken:?}");
    assert!(store.trace(TraceId::new(1).unwrap()).is_some());
    assert_eq!(u64::from(store.trace(TraceId::new(2).unwrap()).unwrap().left_out), taken.left_out);
}

#[test]
fn logs_have_a_share_of_their_own() {
    let store = store(1 << 20);
    store.take_spans(&sent_by("orders", vec![span(1, 1, "Place")]));
    let mut evicted = 0;
    for n in 0..20_000 {
        evicted += store
            .take_logs(&logged_by("orders", vec![line(n, "info", &format!("line {n}"))]))
            .evicted_lines;
    }
    assert!(evicted > 0);
    assert!(store.usage().bytes < 1 << 19, "the rest stays free for traces: {:?}", store.usage());
    assert!(store.trace(TraceId::new(1).unwrap()).is_some());
    assert_eq!(store.usage().lines as u64, 20_000 - evicted);
    assert_eq!(
        bodies(&store, &LogQuery { limit: 2, ..LogQuery::default() }),
        ["line 19998", "line 19999"]
    );
}

/// A client that goes on where an answer ended sees every line once, in the order they arrived, also after a restart of lens.
#[test]
fn log_lines_can_be_followed() {
    let store = store(1 << 20);
    let from =
        |from, limit| store.lines(&LogQuery { from: Some(from), limit, ..LogQuery::default() });
    let texts = |found: &Found| -> Vec<String> {
        found.lines.iter().map(|line| line.log.body.clone()).collect()
    };
    for n in 0..1_000 {
        let level = if n % 2 == 0 { "info" } else { "warn" };
        store.take_logs(&logged_by("orders", vec![line(1, level, &format!("line {n}"))]));
    }
    let first = from(0, 300);
    assert_eq!((texts(&first)[0].as_str(), first.lines.len(), first.next), ("line 0", 300, 300));
    let rest = from(first.next, 1_000);
    assert_eq!((texts(&rest)[0].as_str(), rest.lines.len(), rest.next), ("line 300", 700, 1_000));
    assert_eq!((from(1_000, 10).lines.len(), from(1_000, 10).next), (0, 1_000));
    assert_eq!(texts(&from(5_000, 1)), ["line 0"], "a lens that has started anew");
    let warned = LogQuery {
        severity: Severity::parse("warn"),
        from: Some(990),
        limit: 2,
        ..LogQuery::default()
    };
    let warned = store.lines(&warned);
    assert_eq!((texts(&warned), warned.next), (vec!["line 991".into(), "line 993".into()], 994));
}

#[test]
fn log_lines_are_found_by_trace_service_and_severity() {
    let store = store(1 << 20);
    store.take_logs(&logged_by(
        "orders",
        vec![line(1, "info", "order placed"), line(1, "error", "no stock")],
    ));
    store.take_logs(&logged_by(
        "payments",
        vec![line(1, "warn", "declined"), line(2, "info", "paid")],
    ));
    let all = LogQuery { limit: 100, ..LogQuery::default() };
    let of_trace = LogQuery { trace: TraceId::new(1), ..all.clone() };
    assert_eq!(bodies(&store, &of_trace), ["order placed", "no stock", "declined"]);
    assert_eq!(
        bodies(&store, &LogQuery { service: Some("payments".into()), ..of_trace.clone() }),
        ["declined"]
    );
    assert_eq!(
        bodies(&store, &LogQuery { severity: Severity::parse("warn"), ..all.clone() }),
        ["no stock", "declined"]
    );
    assert_eq!(bodies(&store, &LogQuery { limit: 1, ..all.clone() }), ["paid"]);
    assert_eq!(
        store.lines(&all).lines[1],
        Line { service: "orders".into(), log: line(1, "error", "no stock") }
    );
}

#[test]
fn a_search_finds_the_newest_traces_with_a_span_that_has_all_of_it() {
    let store = store(1 << 20);
    for trace in 1..=4 {
        let mut place = span(trace, 1, "Place");
        place.duration_ns = u64::try_from(trace).unwrap() * 1_000_000;
        place
            .attributes
            .push(Attribute { key: "quantity".into(), value: Value::Int(trace as i64) });
        if trace == 3 {
            place.status = Status::Error;
        }
        store.take_spans(&sent_by("orders", vec![place]));
    }
    store.take_spans(&sent_by("payments", vec![span(4, 2, "Charge")]));
    let found = |search: Search| -> Vec<u128> {
        store.search(&Search { limit: 3, ..search }).iter().map(|id| id.get()).collect()
    };
    let tag = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let orders = Search { service: Some("orders".into()), ..Search::default() };

    assert_eq!(found(orders.clone()), [4, 3, 2], "the newest, up to the limit");
    assert_eq!(found(Search { service: Some("payments".into()), ..Search::default() }), [4]);
    assert_eq!(found(Search { service: Some("nobody".into()), ..Search::default() }), []);
    assert_eq!(
        found(Search { operation: Some("Charge".into()), ..orders.clone() }),
        [],
        "another service's"
    );
    assert_eq!(found(Search { tags: tag("error", "true"), ..orders.clone() }), [3]);
    assert_eq!(found(Search { tags: tag("error", "false"), ..orders.clone() }), [4, 2, 1]);
    assert_eq!(found(Search { tags: tag("quantity", "2"), ..orders.clone() }), [2]);
    assert_eq!(
        found(Search { tags: tag("service.instance.id", "orders"), ..orders.clone() }),
        [4, 3, 2]
    );
    assert_eq!(found(Search { tags: tag("span.kind", "client"), ..orders.clone() }), []);
    assert_eq!(found(Search { shortest_ns: Some(3_000_000), ..orders.clone() }), [4, 3]);
    assert_eq!(found(Search { longest_ns: Some(2_000_000), ..orders.clone() }), [2, 1]);
    assert_eq!(found(Search { started_from_ns: Some(1_001 * SECOND), ..orders.clone() }), []);
    assert_eq!(found(Search { started_to_ns: Some(1_001 * SECOND), ..orders }), [4, 3, 2]);
}

fn stage(trace: u128, start_s: u64, order: &str, status: Option<&str>) -> Span {
    let mut span = span(trace, start_s, "stage");
    span.start_ns = start_s * SECOND;
    span.duration_ns = SECOND / 2;
    span.attributes = vec![text("order.id", order)];
    span.attributes.extend(status.map(|status| text("order.status", status)));
    span
}

#[test]
fn a_flow_consists_of_the_spans_that_name_its_order() {
    let store = store(1 << 20);
    let mut root = span(1, 1, "POST /api/orders");
    root.start_ns = 9 * SECOND;
    // Exporters are not synchronized: the end may arrive before the beginning.
    store.take_spans(&sent_by(
        "orders",
        vec![stage(1, 12, "A", Some("completed")), stage(1, 11, "A", Some("paid"))],
    ));
    assert_eq!(store.flows(None, 10)[0].state, "completed");
    store.take_spans(&sent_by("gateway", vec![root, stage(1, 10, "A", None)]));
    store.take_spans(&sent_by("orders", vec![stage(1, 10, "A", Some("placed"))]));
    // A later request that reads the order is not another flow.
    store.take_spans(&sent_by("gateway", vec![stage(2, 30, "A", None)]));

    let flows = store.flows(None, 10);
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].trace, TraceId::new(1).unwrap());
    assert_eq!((flows[0].state.as_str(), flows[0].started_ns), ("completed", 9 * SECOND));
    assert_eq!(
        flows[0].duration_ns,
        Some(3 * SECOND + SECOND / 2),
        "from the root to the last state"
    );
    assert_eq!(
        (flows[0].spans, flows[0].services.as_slice()),
        (5, &["gateway".to_owned(), "orders".to_owned()][..])
    );
}

#[test]
fn a_flow_cancelled_by_a_request_of_its_own_is_one_flow() {
    let store = store(1 << 20);
    store.take_spans(&sent_by(
        "orders",
        vec![stage(1, 10, "A", Some("placed")), stage(3, 10, "B", Some("placed"))],
    ));
    store.take_spans(&sent_by("orders", vec![stage(2, 14, "A", Some("cancelled"))]));
    let cancelled = store.flows(Some("cancelled"), 10);
    assert_eq!(cancelled.len(), 1);
    assert_eq!((cancelled[0].id.as_str(), cancelled[0].trace.get()), ("A", 1));
    assert_eq!(store.flows(Some("placed"), 10)[0].duration_ns, None, "not at its end yet");
    assert_eq!(store.flows(None, 1)[0].id, "B", "newest first");
}

fn arbitrary_spans() -> impl Strategy<Value = Spans> {
    let attribute = (0..50_u32, any::<u16>(), 0..100_usize).prop_map(|(key, value, repeats)| {
        text(&format!("key.{key}"), &value.to_string().repeat(repeats))
    });
    let one = (1..60_u128, 1..1_000_u64, any::<u16>(), proptest::collection::vec(attribute, 0..8));
    let spans = proptest::collection::vec(one, 1..40).prop_map(|spans| {
        let each = spans.into_iter().map(|(trace, id, name, attributes)| {
            let mut span = span(trace, id, &name.to_string());
            span.attributes.extend(attributes);
            span.attributes.push(text("order.id", &trace.to_string()));
            span
        });
        each.collect::<Vec<_>>()
    });
    (0..100_u32, spans).prop_map(|(service, spans)| sent_by(&service.to_string(), spans))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is sent, and whatever other parts reserve, the budget holds after every batch, and every loss is counted.
    #[test]
    fn memory_never_exceeds_the_budget(
        batches in proptest::collection::vec((arbitrary_spans(), 0..30_usize, 0..64_usize), 1..40),
        budget in (192..1024_usize).prop_map(|kib| kib << 10),
    ) {
        let store = store(budget);
        let (mut sent, mut gone) = (0, 0);
        for (spans, lines, reserved) in batches {
            sent += spans.scopes[0].1.len() as u64;
            let of_spans = store.take_spans(&spans);
            gone += of_spans.left_out + of_spans.evicted_spans;
            prop_assert!(store.usage().bytes <= budget, "{:?} of {budget} after spans", store.usage());
            let body = "x".repeat(lines * 20);
            gone += store.take_logs(&logged_by("s", vec![line(1, "info", &body); lines])).evicted_spans;
            prop_assert!(store.usage().bytes <= budget, "{:?} of {budget} after logs", store.usage());
            gone += store.reserve(reserved << 10).evicted_spans;
            prop_assert!(store.usage().bytes <= budget, "{:?} of {budget} after others", store.usage());
        }
        let memory = store.memory.read();
        let kept: u64 = memory.traces.newest_first().map(|trace| u64::from(trace.spans)).sum();
        prop_assert_eq!(kept, sent - gone);
    }
}
