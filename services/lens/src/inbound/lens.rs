//! Lens' own API: the topology, log lines, flows, and the state of the services.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use chassis::http::{Json, Problem};
use serde_json::{Map, Value, json};

use super::params::{InvalidParam, Params};
use crate::{
    clock::Clock,
    coverage::{self, Measured},
    domain::Severity,
    scrape::Scraper,
    store::{FoundFlow, Line, LogQuery, Store},
    topology::{Calls, LONGEST_WINDOW, Node, NodeKind, Snapshot, Topology},
};

/// The window of a query that sets none.
pub(super) const USUAL_WINDOW: Duration = Duration::from_secs(60);

/// The number of items for a query that sets no limit; the maximum is below.
const USUAL_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;

const INDEX: &str = "\
lens of glassmesh: the traces, logs and metrics of the mesh

  /lens/v1/topology?window=60s                        who talks to whom, how often, how fast; counted from spans: if they
                                                      are sampled, it says so, with the share (coverage), and what each
                                                      service counts itself (measured) is true all the same
  /lens/v1/flows?limit=&state=                        orders: state, duration, trace
  /lens/v1/traces?service=&operation=&minDuration=&tag=key:value&start=&end=&limit=
                                                      traces in a few numbers; with Jaeger's parameters, all of them optional,
                                                      and minTotal, maxTotal: the duration of the whole trace; those of health
                                                      checks, scrapes and loads of the page are left out, unless probes=true
  /lens/v1/traces/{id}/linked                         links from and to spans of other traces
  /lens/v1/logs?trace_id=&service=&severity=&since=&limit=   log lines, newest last
  /lens/v1/logs?from=                                 what has arrived since the field next of an answer
  /lens/v1/clock                                      the present; in a replay, the end of the run
  /lens/v1/services?window=60s&points=                every replica, also those that are down: rate, errors, durations, memory,
                                                      restarts; with points, CPU and memory over the window
  /lens/v1/services/{service}/metrics                 what its /metrics said last
  /lens/v1/services/{service}/build, /readiness, /config, /log-level
                                                      of every replica, from its admin port; {service} may be name@address
  /lens/v1/services/{service}/profile?seconds=10      a CPU profile of one replica in pprof's format
  PUT /lens/v1/services/{service}/log-level           level (as debug) and minutes (1 to 60) as JSON; the service reverts it by itself
  /api/services /api/operations /api/traces /api/traces/{id} /api/dependencies
                                                      as Jaeger: point its page or Grafana here; below /lens, too
  /prometheus/api/v1/…                                as Prometheus: the metrics of every service for the last half hour, rules
                                                      and alerts; never sampled. /prometheus/ lists the paths
  /lens/v1/export/traces, /logs, /metrics             all of it as OTLP's JSON, one request a line; mesh export writes it to a file
  /lens/v1/events/topics                              topics, partitions, consumer groups, lag
  /lens/v1/events/orders/{id}                         an order's records on Kafka, decoded
  /lens/v1/events/dead-letters?all=                   the newest dead letters; /{topic}/{partition}/{offset} shows one
  POST …/{offset}/replay, …/{offset}/discard, /lens/v1/events/dead-letters/replay, /lens/v1/events/poison
  /lens/v1/operate                                    whether this lens may change something (lens.operate.enabled)
  POST /v1/traces, /v1/logs                           OTLP, protobuf or JSON
";

struct Lens {
    store: Arc<Store>,
    topology: Arc<Topology>,
    scraper: Arc<Scraper>,
    clock: Clock,
}

type Shared = State<Arc<Lens>>;

/// The paths below `/lens/v1`, and an index.
pub(crate) fn routes(
    store: &Arc<Store>,
    topology: &Arc<Topology>,
    scraper: &Arc<Scraper>,
    clock: Clock,
) -> Router {
    let lens = Lens {
        store: Arc::clone(store),
        topology: Arc::clone(topology),
        scraper: Arc::clone(scraper),
        clock,
    };
    Router::new()
        .route("/", get(|| async { INDEX }))
        // For requests through the gateway's front door, which does not change paths.
        .route("/lens/", get(|| async { INDEX }))
        .route("/lens/v1/topology", get(topology_of_window))
        .route("/lens/v1/clock", get(present))
        .route("/lens/v1/logs", get(logs))
        .route("/lens/v1/flows", get(flows))
        .with_state(Arc::new(lens))
}

async fn topology_of_window(State(lens): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let window = params.window(USUAL_WINDOW, LONGEST_WINDOW).map_err(refused)?;
    let snapshot = lens.topology.snapshot(window, lens.clock.now());
    let measured = lens.scraper.measured(window);
    let share = share_of(&snapshot, &measured);
    let id = |node: &Node| format!("{}:{}", node.kind.label(), node.name);
    // The names of servers that send spans themselves have no edges.
    let is_server = |number| snapshot.edges.iter().any(|edge| edge.to == number);
    let nodes = snapshot.nodes.iter().enumerate();
    let nodes =
        nodes.filter(|(number, node)| node.kind != NodeKind::External || is_server(*number));
    let nodes = nodes.map(|(_, node)| {
        let mut named = json!({ "id": id(node), "kind": node.kind.label(), "name": node.name });
        if let (NodeKind::Service, Some(measured)) = (node.kind, measured.get(&node.name)) {
            let (rate, errors) = (rounded(measured.handled), rounded(measured.errors));
            named["measured"] = json!({ "rate": rate, "errors_per_second": errors });
        }
        with_calls(named, &node.calls, snapshot.seconds)
    });
    let edges = snapshot.edges.iter().map(|edge| {
        let [source, target] = [edge.from, edge.to].map(|node| snapshot.nodes.get(node).map(id));
        let named =
            json!({ "source": source, "target": target, "protocol": edge.protocol.label() });
        with_calls(named, &edge.calls, snapshot.seconds)
    });
    let (nodes, edges): (Vec<_>, Vec<_>) = (nodes.collect(), edges.collect());
    Ok(Json(json!({
        "window_seconds": snapshot.seconds,
        "partial": snapshot.is_partial,
        "sampled": share.map(coverage::is_sampled),
        "coverage": share.map(rounded),
        "nodes": nodes,
        "edges": edges,
    })))
}

/// The share of what the services handle that has spans here; `None` if too little is known.
pub(super) fn share(topology: &Topology, scraper: &Scraper, clock: Clock) -> Option<f64> {
    let snapshot = topology.snapshot(USUAL_WINDOW, clock.now());
    share_of(&snapshot, &scraper.measured(USUAL_WINDOW))
}

fn share_of(snapshot: &Snapshot, measured: &BTreeMap<String, Measured>) -> Option<f64> {
    let services = snapshot.nodes.iter().filter(|node| node.kind == NodeKind::Service);
    let spans = services.map(|node| (node.name.as_str(), node.calls.calls));
    coverage::share(spans, snapshot.seconds, measured)
}

fn with_calls(mut named: Value, calls: &Calls, seconds: u64) -> Value {
    if let Some(fields) = named.as_object_mut() {
        fields.insert("calls".into(), calls.calls.into());
        fields.insert("rate".into(), rounded(calls.calls as f64 / seconds as f64).into());
        fields.insert("errors".into(), calls.errors.into());
        fields.insert("p50_ms".into(), calls.p50_us.map(|us| rounded(us / 1e3)).into());
        fields.insert("p99_ms".into(), calls.p99_us.map(|us| rounded(us / 1e3)).into());
    }
    named
}

/// Rounds to a thousandth: further digits are noise and make answers long.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The time that queries without a time mean.
async fn present(State(lens): Shared) -> Json<Value> {
    let now = u64::try_from(lens.clock.now().as_nanos()).unwrap_or(u64::MAX);
    Json(json!({ "now": timestamp(now), "fixed": lens.clock.is_fixed() }))
}

async fn logs(State(lens): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let words = Severity::WORDS.map(|(word, _)| word);
    let wanted = || -> Result<LogQuery, InvalidParam> {
        Ok(LogQuery {
            trace: params.trace_id("trace_id")?,
            service: params.text("service").map(str::to_owned),
            severity: params.one_of("severity", &words, Severity::parse)?,
            since_ns: params.duration("since")?.map(|since| {
                u64::try_from(lens.clock.now().saturating_sub(since).as_nanos()).unwrap_or(u64::MAX)
            }),
            from: params.number("from", "the field next of an earlier answer")?,
            limit: params.limit(USUAL_LIMIT, LARGEST_LIMIT)?,
        })
    };
    let found = lens.store.lines(&wanted().map_err(refused)?);
    let items: Vec<_> = found.lines.iter().map(line).collect();
    Ok(Json(json!({ "items": items, "next": found.next })))
}

fn line(line: &Line) -> Value {
    let log = &line.log;
    let attributes = log.attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            crate::domain::Value::Bool(value) => (*value).into(),
            crate::domain::Value::Int(value) => (*value).into(),
            crate::domain::Value::Double(value) if value.is_finite() => (*value).into(),
            other => other.to_string().into(),
        };
        (attribute.key.clone(), value)
    });
    json!({
        "at": timestamp(log.at_ns),
        "severity": log.severity.label(),
        "service": line.service,
        "target": log.target,
        "body": log.body,
        "trace_id": log.trace.map(|id| id.to_string()),
        "span_id": log.span.map(|id| id.to_string()),
        "attributes": attributes.collect::<Map<String, Value>>(),
    })
}

async fn flows(State(lens): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let limit = params.limit(USUAL_LIMIT, LARGEST_LIMIT).map_err(refused)?;
    let share = share(&lens.topology, &lens.scraper, lens.clock);
    let flows = lens.store.flows(params.text("state"), limit);
    let Json(mut answer) = items(flows.iter().map(flow));
    answer["sampled"] = share.map(coverage::is_sampled).into();
    answer["coverage"] = share.map(rounded).into();
    Ok(Json(answer))
}

fn flow(flow: &FoundFlow) -> Value {
    json!({
        "id": flow.id,
        "trace_id": flow.trace.to_string(),
        "state": flow.state,
        "started_at": timestamp(flow.started_ns),
        "duration_ms": flow.duration_ns.map(|ns| rounded(ns as f64 / 1e6)),
        "spans": flow.spans,
        "errors": flow.errors,
        "services": flow.services,
    })
}

pub(super) fn items(items: impl Iterator<Item = Value>) -> Json<Value> {
    Json(json!({ "items": items.collect::<Vec<_>>() }))
}

pub(super) fn refused(bad: InvalidParam) -> Problem {
    let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-argument", bad.to_string());
    problem.field(bad.name, format!("is {:?}; expected {}", bad.value, bad.expected))
}

/// RFC 3339, to the microsecond.
pub(super) fn timestamp(ns: u64) -> String {
    humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)).to_string()
}
