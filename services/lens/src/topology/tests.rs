//! What the topology shows.

use super::*;
use crate::domain::{Attribute, Kind, Link, Scope, Source, Status, Value};

/// A topology under test; its clock moves only with `pass`.
struct Board {
    topology: Topology,
    now: Duration,
}

fn board() -> Board {
    Board { topology: Topology::new(64 << 20), now: Duration::from_secs(10_000_000) }
}

impl Board {
    fn sees(&self, service: &str, mut span: Span) {
        span.start_ns = self.now.as_nanos() as u64;
        self.sees_late(service, span);
    }

    /// The span keeps its own time.
    fn sees_late(&self, service: &str, span: Span) {
        let source = Source { service: service.to_owned(), attributes: Vec::new() };
        self.topology
            .observe(&Spans { source, scopes: vec![(Scope::default(), vec![span])] }, self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// The edges with traffic in the last `seconds`, as text.
    fn edges(&self, seconds: u64) -> Vec<String> {
        let snapshot = self.topology.snapshot(Duration::from_secs(seconds), self.now);
        let used = snapshot.edges.iter().filter(|edge| edge.calls.calls > 0);
        let text = |edge: &Edge| {
            let [from, to] = [edge.from, edge.to].map(|node| &snapshot.nodes[node].name);
            format!(
                "{from} -{}-> {to}: {} calls, {} errors",
                edge.protocol.label(),
                edge.calls.calls,
                edge.calls.errors
            )
        };
        let mut edges: Vec<String> = used.map(text).collect();
        edges.sort();
        edges
    }

    fn dependencies(&self) -> Vec<String> {
        let all = self.topology.dependencies(self.now, Duration::from_secs(86_400));
        all.into_iter().map(|d| format!("{} -> {}: {}", d.parent, d.child, d.calls)).collect()
    }
}

fn span(kind: Kind, trace: u128, id: u64, parent: u64, attributes: &[(&str, &str)]) -> Span {
    let attribute = |(key, value): &(&str, &str)| Attribute {
        key: (*key).into(),
        value: Value::Text((*value).into()),
    };
    Span {
        trace: TraceId::new(trace).unwrap(),
        id: SpanId::new(id).unwrap(),
        parent: SpanId::new(parent),
        name: String::new(),
        kind,
        status: Status::Unset,
        status_message: String::new(),
        trace_state: String::new(),
        start_ns: 1,
        duration_ns: 4_000_000,
        attributes: attributes.iter().map(attribute).collect(),
        events: Vec::new(),
        links: Vec::new(),
    }
}

fn call(trace: u128, id: u64) -> Span {
    span(Kind::Client, trace, id, 0, &[("rpc.system.name", "grpc")])
}

fn answer(trace: u128, id: u64, parent: u64) -> Span {
    span(Kind::Server, trace, id, parent, &[("rpc.system.name", "grpc")])
}

const KAFKA: [(&str, &str); 2] =
    [("messaging.system", "kafka"), ("messaging.destination.name", "orders.events")];

fn send(trace: u128, id: u64) -> Span {
    span(Kind::Producer, trace, id, 0, &KAFKA)
}

fn process(trace: u128, id: u64, parent: u64) -> Span {
    let mut span = span(Kind::Consumer, trace, id, parent, &KAFKA);
    span.links.extend(link(trace, parent));
    span
}

fn link(trace: u128, span: u64) -> Option<Link> {
    Some(Link { trace: TraceId::new(trace)?, span: SpanId::new(span)? })
}

#[test]
fn a_call_is_an_edge_whichever_side_reports_first() {
    let board = board();
    board.sees("gateway", call(1, 1));
    board.sees("orders", answer(1, 2, 1));
    board.sees("orders", answer(2, 2, 1));
    board.sees("gateway", call(2, 1));
    assert_eq!(board.edges(60), ["gateway -grpc-> orders: 2 calls, 0 errors"]);
    assert_eq!(board.dependencies(), ["gateway -> orders: 2"]);
}

#[test]
fn a_call_that_failed_on_either_side_is_an_error() {
    let board = board();
    let failed = |span: Span| Span { status: Status::Error, ..span };
    board.sees("gateway", failed(call(1, 1)));
    board.sees("orders", answer(1, 2, 1));
    board.sees("gateway", call(2, 1));
    board.sees("orders", failed(answer(2, 2, 1)));
    board.sees("gateway", call(3, 1));
    board.sees("orders", answer(3, 2, 1));
    assert_eq!(board.edges(60), ["gateway -grpc-> orders: 3 calls, 2 errors"]);
}

#[test]
fn a_message_goes_through_its_topic_to_every_receiver() {
    let board = board();
    board.sees("payments", process(1, 2, 1)); // its exporter was faster than the sender's
    board.sees("orders", send(1, 1));
    board.sees("shipping", process(1, 3, 1));
    assert_eq!(
        board.edges(60),
        [
            "orders -kafka-> orders.events: 1 calls, 0 errors",
            "orders.events -kafka-> payments: 1 calls, 0 errors",
            "orders.events -kafka-> shipping: 1 calls, 0 errors",
        ]
    );
    assert_eq!(board.dependencies(), ["orders -> payments: 1", "orders -> shipping: 1"]);
}

#[test]
fn a_batch_counts_its_records_and_knows_their_senders() {
    let board = board();
    board.sees("orders", send(1, 1));
    board.sees("orders", send(2, 1));
    board.sees("returns", send(3, 1));
    let mut batch = span(Kind::Consumer, 9, 9, 0, &KAFKA);
    batch.links = (1..=3).filter_map(|trace| link(trace, 1)).collect();
    board.sees("shipping", batch);
    assert_eq!(
        board.edges(60),
        [
            "orders -kafka-> orders.events: 2 calls, 0 errors",
            "orders.events -kafka-> shipping: 3 calls, 0 errors",
            "returns -kafka-> orders.events: 1 calls, 0 errors",
        ]
    );
    assert_eq!(board.dependencies(), ["orders -> shipping: 2", "returns -> shipping: 1"]);
}

#[test]
fn subjects_are_grouped_by_template_and_not_by_customer() {
    let board = board();
    for order in ["1", "2"] {
        let name = format!("live.orders.ada.{order}");
        let nats = [
            ("messaging.system", "nats"),
            ("messaging.destination.name", name.as_str()),
            ("messaging.destination.template", "live.orders.{customer}.{order}"),
        ];
        board.sees("notifications", span(Kind::Producer, 1, 1, 0, &nats));
        board.sees("gateway", span(Kind::Consumer, 1, 2, 1, &nats));
    }
    assert_eq!(
        board.edges(60),
        [
            "live.orders.{customer}.{order} -nats-> gateway: 2 calls, 0 errors",
            "notifications -nats-> live.orders.{customer}.{order}: 2 calls, 0 errors",
        ]
    );
    let snapshot = board.topology.snapshot(LONGEST_WINDOW, board.now);
    let subject = snapshot.nodes.iter().find(|node| node.kind == NodeKind::Subject).unwrap();
    assert_eq!(subject.calls.calls, 2);
}

#[test]
fn a_database_is_a_node_without_spans_of_its_own() {
    let board = board();
    let query = |attributes: &[(&str, &str)]| span(Kind::Client, 1, 1, 0, attributes);
    board.sees("orders", query(&[("db.system.name", "sqlite")]));
    board.sees("payments", query(&[("db.system.name", "sqlite")]));
    board.sees("reports", query(&[("db.system.name", "postgresql"), ("db.namespace", "orders")]));
    assert_eq!(
        board.edges(60),
        [
            "orders -sql-> orders (sqlite): 1 calls, 0 errors",
            "payments -sql-> payments (sqlite): 1 calls, 0 errors",
            "reports -sql-> orders: 1 calls, 0 errors",
        ]
    );
}

#[test]
fn what_is_received_and_then_processed_counts_once() {
    let board = board();
    let mut receive = process(1, 2, 1);
    receive.attributes.push(Attribute {
        key: "messaging.operation.type".into(),
        value: Value::Text("receive".into()),
    });
    board.sees("payments", receive);
    board.sees("payments", process(1, 3, 1));
    assert_eq!(board.edges(60), ["orders.events -kafka-> payments: 1 calls, 0 errors"]);
}

#[test]
fn a_window_shows_what_happened_in_it() {
    let mut board = board();
    for second in 0..120 {
        board.sees("orders", send(second + 1, 1));
        board.pass(1);
    }
    let snapshot = board.topology.snapshot(Duration::from_secs(60), board.now);
    assert_eq!((snapshot.edges[0].calls.calls, snapshot.seconds), (60, 60));
    let p99 = snapshot.edges[0].calls.p99_us.unwrap();
    assert!((4_000.0..4_500.0).contains(&p99), "4 ms, to an eighth: {p99}");
    board.pass(70);
    assert_eq!(board.edges(60), [""; 0]);
    assert_eq!(board.edges(300), ["orders -kafka-> orders.events: 120 calls, 0 errors"]);
    board.pass(400);
    board.sees("other", call(7, 7));
    assert_eq!(board.edges(300), [""; 0], "older than that is forgotten");
    assert_eq!(
        board.topology.snapshot(LONGEST_WINDOW, board.now).edges.len(),
        1,
        "at rest, still in the snapshot"
    );
}

#[test]
fn rates_right_after_the_start_are_not_thinned_by_time_before_it() {
    let mut board = board();
    board.sees("orders", send(1, 1));
    board.pass(10);
    assert_eq!(board.topology.snapshot(Duration::from_secs(60), board.now).seconds, 10);
}

#[test]
fn nodes_named_by_ids_do_not_take_the_memory() {
    let topology = Topology::new(8 << 20);
    let mut now = Duration::from_secs(10_000_000);
    for id in 0..20_000_u64 {
        let name = format!("topic-{id}");
        let mut sent = span(Kind::Producer, 1, id + 1, 0, &[("messaging.destination.name", &name)]);
        sent.start_ns = now.as_nanos() as u64;
        let source = Source { service: "careless".into(), attributes: Vec::new() };
        topology.observe(&Spans { source, scopes: vec![(Scope::default(), vec![sent])] }, now);
        now += Duration::from_millis(50);
    }
    assert!(topology.bytes() < 2 << 20, "{}", topology.bytes());
    assert!(
        topology.snapshot(LONGEST_WINDOW, now).is_partial,
        "the answer says that it is partial"
    );
}

/// The same definition as the recording rules of Prometheus: an event counts once, when it was handled or dead-lettered.
#[test]
fn what_had_no_effect_is_not_handled() {
    let board = board();
    let handling = |id: u64, handled: i64| {
        let mut span = process(1, id, 0);
        span.attributes.push(Attribute { key: "mesh.handled".into(), value: Value::Int(handled) });
        span
    };
    for (id, handled) in [(1, 1), (2, 0), (3, 7), (4, 0), (5, -1)] {
        board.sees("payments", handling(id, handled));
    }
    assert_eq!(board.edges(60), ["orders.events -kafka-> payments: 8 calls, 0 errors"]);
}

/// A span of an earlier run, or one that waited for lens, does not look like a call of now.
#[test]
fn a_late_span_counts_when_it_ended() {
    let board = board();
    let late = |id, seconds: u64| {
        let mut span = call(1, id);
        span.start_ns = (board.now.as_secs() - seconds) * 1_000_000_000;
        span
    };
    for (id, seconds) in [(1, 10), (2, 120), (3, 600), (4, 2 * 86_400)] {
        let (mut sent, mut handled) = (late(id, seconds), answer(1, id + 100, id));
        handled.start_ns = sent.start_ns;
        sent.duration_ns = 4_000_000;
        board.sees_late("orders", sent);
        board.sees_late("inventory", handled);
    }
    assert_eq!(board.edges(60), ["orders -grpc-> inventory: 1 calls, 0 errors"]);
    assert_eq!(board.edges(300), ["orders -grpc-> inventory: 2 calls, 0 errors"]);
    assert_eq!(board.dependencies(), ["orders -> inventory: 3"], "within a day");
}

const PUSHED: [(&str, &str); 2] =
    [("messaging.system", "websocket"), ("messaging.destination.name", "live.orders")];

/// A page sends its spans seconds after the services, and several pages receive the same message.
#[test]
fn a_page_calls_and_receives_live_messages_over_its_websocket() {
    let mut board = board();
    let request = [("http.request.method", "POST")];
    board.sees("gateway", span(Kind::Server, 1, 2, 1, &request));
    let live = [("messaging.system", "nats"), ("messaging.destination.name", "live.orders")];
    board.sees("gateway", span(Kind::Consumer, 1, 4, 3, &live));
    board.pass(9);
    board.sees("browser", span(Kind::Internal, 1, 9, 0, &[]));
    board.sees("browser", span(Kind::Client, 1, 1, 9, &request));
    board.sees("browser", span(Kind::Consumer, 1, 5, 4, &PUSHED));
    board.sees("browser", span(Kind::Consumer, 1, 6, 4, &PUSHED));
    assert_eq!(
        board.edges(60),
        [
            "browser -http-> gateway: 1 calls, 0 errors",
            "gateway -websocket-> browser: 2 calls, 0 errors",
            "live.orders -nats-> gateway: 1 calls, 0 errors",
        ]
    );
    assert_eq!(board.dependencies(), ["browser -> gateway: 1", "gateway -> browser: 2"]);
    let nodes = board.topology.snapshot(Duration::from_secs(60), board.now).nodes;
    assert!(nodes.iter().any(|node| node.name == "browser" && node.kind == NodeKind::Service));
}

/// A page whose message was sent before lens started, or by a service that is not traced.
#[test]
fn a_live_message_without_a_sender_is_no_edge() {
    let board = board();
    board.sees("browser", span(Kind::Consumer, 1, 5, 4, &PUSHED));
    assert!(board.edges(60).is_empty());
}

/// The provider of payments: its calls are counted as soon as it is known that it sends no spans.
#[test]
fn a_server_without_spans_is_a_node() {
    let mut board = board();
    let call = |trace, server| {
        let attributes = [("http.request.method", "POST"), ("server.address", server)];
        span(Kind::Client, trace, 1, 0, &attributes)
    };
    board.sees("payments", call(1, "provider"));
    board.sees("browser", call(2, "127.0.0.1"));
    board.sees("gateway", answer(2, 2, 1));
    assert_eq!(board.edges(60), ["browser -http-> gateway: 1 calls, 0 errors"]);
    board.pass(40);
    board.sees("orders", send(3, 1));
    board.sees("payments", call(4, "provider"));
    board.sees("browser", call(5, "127.0.0.1"));
    assert_eq!(
        board.edges(60),
        [
            "browser -http-> gateway: 1 calls, 0 errors",
            "orders -kafka-> orders.events: 1 calls, 0 errors",
            "payments -http-> provider: 1 calls, 0 errors",
        ]
    );
}

/// A client's span of a refused order is an error by the conventions; `orders` is well all the same.
#[test]
fn a_refusal_is_no_failure_of_the_callee() {
    let board = board();
    for (trace, status) in [(1, "FAILED_PRECONDITION"), (2, "OK"), (3, "UNAVAILABLE")] {
        let attributes = [("rpc.system.name", "grpc"), ("rpc.response.status_code", status)];
        let mut call = span(Kind::Client, trace, 1, 0, &attributes);
        call.status = if status == "OK" { Status::Unset } else { Status::Error };
        board.sees("gateway", call);
        board.sees("orders", answer(trace, 2, 1));
    }
    assert_eq!(board.edges(60), ["gateway -grpc-> orders: 3 calls, 1 errors"]);
}
