//! What survives a restart.

use chassis::metrics::Registry;

use super::*;
use crate::{
    clock::Clock,
    config::{Config, Keep, Scrape},
    domain::{
        Attribute, Event, Kind, Link, Log, Logs, Scope, Severity, Source, Span, SpanId, Spans,
        Status, TraceId, Value,
    },
    metrics::Metrics,
    scrape::Scraper,
    store::{LogQuery, Search},
    topology::Topology,
};

const SECOND: u64 = 1_000_000_000;

/// A lens without ports.
struct Lens {
    store: Arc<Store>,
    topology: Arc<Topology>,
    intake: Arc<Intake>,
    keeper: Arc<Keeper>,
}

fn lens(folder: &Path) -> Lens {
    lens_with(folder, Keep::default())
}

fn lens_with(folder: &Path, keep: Keep) -> Lens {
    lens_at(folder, keep, Clock::default())
}

fn lens_at(folder: &Path, keep: Keep, clock: Clock) -> Lens {
    let config = Config::default();
    let store = Arc::new(Store::new(config.memory.bytes(), config.flow.into()));
    let topology = Arc::new(Topology::new(config.memory.bytes()));
    let series = Arc::new(timeseries::Store::new(timeseries::Options::default()));
    let scraper = Arc::new(Scraper::new(&Scrape::default(), &series).unwrap());
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let intake = Arc::new(Intake::new(&store, &topology, &scraper, metrics, clock));
    let keep = Keep { folder: folder.display().to_string(), ..keep };
    let keeper = Keeper::new(&keep, &store, &series, &intake, clock).unwrap();
    Lens { store, topology, intake, keeper }
}

fn text(key: &str, value: &str) -> Attribute {
    Attribute { key: key.to_owned(), value: Value::Text(value.to_owned()) }
}

fn trace(id: u128) -> TraceId {
    TraceId::new(id).unwrap()
}

/// A span of an order's trace, which ended `ago` before now.
fn span(of: u128, id: u64, ago: Duration) -> Span {
    let ended = Clock::default().now().saturating_sub(ago).as_nanos() as u64;
    Span {
        trace: trace(of),
        id: SpanId::new(id).unwrap(),
        parent: SpanId::new(id - 1),
        name: "place".into(),
        kind: Kind::Server,
        status: Status::Error,
        status_message: "out of stock".into(),
        trace_state: "a=b".into(),
        start_ns: ended - SECOND,
        duration_ns: SECOND,
        attributes: vec![
            text("rpc.system.name", "grpc"),
            text("order.id", &format!("o-{of}")),
            text("order.status", "completed"),
        ],
        events: vec![Event { at_ns: ended, name: "retry".into(), attributes: vec![] }],
        links: vec![Link { trace: trace(of + 1), span: SpanId::new(9).unwrap() }],
    }
}

fn spans(service: &str, spans: Vec<Span>) -> Spans {
    let source = Source { service: service.into(), attributes: vec![text("host.name", "here")] };
    Spans { source, scopes: vec![(Scope { name: "chassis".into(), version: "1".into() }, spans)] }
}

fn logs(service: &str, bodies: &[&str]) -> Logs {
    let line = |body: &&str| Log {
        at_ns: 7,
        severity: Severity::parse("warn").unwrap(),
        body: (*body).into(),
        target: "orders".into(),
        trace: Some(trace(1)),
        span: None,
        attributes: vec![text("order.id", "o-1")],
    };
    Logs {
        source: Source { service: service.into(), attributes: Vec::new() },
        lines: bodies.iter().map(line).collect(),
    }
}

#[test]
fn traces_lines_flows_and_topology_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = lens(folder.path());
    let minute = Duration::from_secs(60);
    before.intake.take_spans(&[spans("orders", vec![span(1, 2, minute), span(3, 4, minute)])]);
    before.intake.take_spans(&[spans("payments", vec![span(1, 5, minute)])]);
    before.intake.take_logs(&[logs("orders", &["one", "two"]), logs("payments", &["three"])]);
    before.store.note_left_out(trace(1), 3);
    before.keeper.save().unwrap();

    let after = lens(folder.path());
    after.keeper.load(oneshot::channel().0);
    let (expected, found) = (before.store.trace(trace(1)), after.store.trace(trace(1)));
    assert!(expected.is_some());
    assert_eq!(found, expected);
    let all = LogQuery { limit: 10, ..LogQuery::default() };
    assert_eq!(after.store.lines(&all), before.store.lines(&all));
    assert_eq!(after.store.flows(None, 10), before.store.flows(None, 10));
    assert_eq!(after.store.flows(None, 10).len(), 2);
    assert_eq!(after.store.operations("orders", None), [("place".to_owned(), Kind::Server)]);
    let window = |seconds| {
        let now = Clock::default().now();
        let snapshot = after.topology.snapshot(Duration::from_secs(seconds), now);
        snapshot.nodes.iter().map(|node| node.calls.calls).sum::<u64>()
    };
    assert_eq!((window(30), window(300)), (0, 3), "calls count when they were");
}

/// The end of a recorded run is that of its last point, and its metrics were read after that.
#[test]
fn metrics_scraped_after_the_end_of_a_recorded_run_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let before = lens(folder.path());
    let target = promql::Labels::from([("job", "orders"), ("instance", "a:1")]);
    let end = Clock::default().now_ms();
    for at_ms in [end - 2_000, end, end + 2_000] {
        before.keeper.series.scrape(&target, at_ms, Duration::ZERO, "a 1\n").unwrap();
    }
    before.keeper.save().unwrap();
    let samples = |clock| {
        let lens = lens_at(folder.path(), Keep::default(), clock);
        lens.keeper.load_metrics();
        lens.keeper.series.usage().samples
    };
    let end =
        humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + Duration::from_millis(end as u64));
    let recorded = samples(end.to_string().parse().unwrap());
    assert_eq!(recorded, before.keeper.series.usage().samples);
    assert_eq!(samples(Clock::default()), 0, "a running lens could add nothing before that time");
}

#[test]
fn an_unchanged_store_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let lens = lens(folder.path());
    lens.intake.take_logs(&[logs("orders", &["one"])]);
    lens.keeper.save().unwrap();
    fs::remove_file(lens.keeper.traces()).unwrap();
    lens.keeper.save().unwrap();
    assert!(!lens.keeper.traces().exists());
    lens.intake.take_logs(&[logs("orders", &["two"])]);
    lens.keeper.save().unwrap();
    assert!(lens.keeper.traces().exists());
}

/// A damaged file is no reason to crash; what precedes the damage is there, and the next save replaces the file.
#[test]
fn a_damaged_file_is_read_up_to_the_damage_and_then_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let before = lens(folder.path());
    before.intake.take_logs(&[logs("orders", &["one"])]);
    before.intake.take_spans(&[spans("orders", vec![span(1, 2, Duration::ZERO)])]);
    before.keeper.save().unwrap();
    let whole = fs::read(before.keeper.traces()).unwrap();
    fs::write(before.keeper.traces(), &whole[..whole.len() - 20]).unwrap();

    let after = lens(folder.path());
    after.keeper.load(oneshot::channel().0);
    assert_eq!((after.store.usage().traces, after.store.usage().lines), (0, 1));
    after.keeper.save().unwrap();
    let third = lens(folder.path());
    third.keeper.load(oneshot::channel().0);
    assert_eq!(third.store.usage().lines, 1);
}

#[test]
fn a_file_of_another_version_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("traces"), "traces of lens, version 0\n…").unwrap();
    let lens = lens(folder.path());
    lens.keeper.load(oneshot::channel().0);
    assert_eq!(lens.store.usage().traces, 0);
}

#[test]
fn what_does_not_fit_is_left_out_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let before =
        lens_with(folder.path(), Keep { size: "16MiB".parse().unwrap(), ..Keep::default() });
    let large = "x".repeat(8_000);
    for id in 1..4_000 {
        let mut one = span(id, 2, Duration::ZERO);
        one.attributes.push(text("body", &format!("{id}{large}")));
        before.intake.take_spans(&[spans("orders", vec![one])]);
    }
    before.keeper.save().unwrap();
    let bytes = fs::metadata(before.keeper.traces()).unwrap().len();
    assert!((15 << 20..=16 << 20).contains(&bytes), "{bytes}");
    let after = lens(folder.path());
    after.keeper.load(oneshot::channel().0);
    let kept = |id| after.store.has_trace(trace(id));
    assert!(kept(3_999) && kept(2_100) && !kept(1) && !kept(1_000));
}

/// A mesh does not wait for the traces of its last run: those that arrive meanwhile are newer, whenever the others are read.
#[tokio::test]
async fn traces_of_the_last_run_are_older_than_those_that_arrive_while_they_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let before = lens(folder.path());
    let minute = Duration::from_secs(60);
    before.intake.take_spans(&[spans("orders", vec![span(1, 2, minute), span(3, 4, minute)])]);
    before.keeper.save().unwrap();

    let after = lens(folder.path());
    after.intake.take_spans(&[spans("orders", vec![span(5, 6, Duration::ZERO)])]);
    after.keeper.restore().await.unwrap().await.unwrap();
    let newest_first = after.store.search(&Search { limit: 10, ..Search::default() });
    assert_eq!(newest_first, [trace(5), trace(3), trace(1)]);
    let flows: Vec<_> = after.store.flows(None, 10).into_iter().map(|flow| flow.id).collect();
    assert_eq!(flows, ["o-5", "o-3", "o-1"]);
    after.keeper.save().unwrap();
    let third = lens(folder.path());
    third.keeper.restore().await.unwrap().await.unwrap();
    assert_eq!(third.store.search(&Search { limit: 10, ..Search::default() }), newest_first);
}
