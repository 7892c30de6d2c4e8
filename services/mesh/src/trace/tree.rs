//! Formats a trace as lines for people. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chassis::text::printable;
use serde::Deserialize;
use serde_json::Value;

/// A trace in the format of Jaeger's query API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace {
    #[serde(rename = "traceID")]
    id: String,
    spans: Vec<Span>,
    processes: HashMap<String, Process>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(rename = "spanID")]
    id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    /// In microseconds since the Unix epoch.
    start_time: u64,
    /// In microseconds.
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID")]
    process: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    span: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

/// Spans by their parent, the earliest first; spans whose parent is missing are at the root, `None`.
type Children<'a> = BTreeMap<Option<&'a str>, Vec<&'a Span>>;

impl Span {
    fn tag(&self, key: &str) -> Option<&Value> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
    }

    fn kind(&self) -> &str {
        self.tag("span.kind").and_then(Value::as_str).unwrap_or("internal")
    }

    /// The span's name; for an event that was sent, also its type.
    fn what(&self) -> String {
        let event = self.tag("cloudevents.event_type").and_then(Value::as_str);
        match event.and_then(|event| event.rsplit('.').next()).filter(|_| self.kind() == "producer")
        {
            Some(event) => format!("{} {event}", self.operation_name),
            None => self.operation_name.clone(),
        }
    }

    fn end(&self) -> u64 {
        self.start_time.saturating_add(self.duration)
    }

    fn failed(&self) -> bool {
        self.tag("error").is_some_and(|value| *value == Value::Bool(true))
    }

    fn parent(&self, trace: &str) -> Option<&str> {
        let mut parents = self.references.iter().filter(|one| one.trace == trace);
        parents.find(|one| one.ref_type == "CHILD_OF").map(|one| one.span.as_str())
    }

    /// Whether the span is one where a call or message enters or leaves a service, on the side that shows more.
    fn is_edge(&self, children: &Children<'_>) -> bool {
        match self.kind() {
            "server" | "consumer" | "producer" => true,
            "client" => {
                let inner = children.get(&Some(self.id.as_str())).into_iter().flatten();
                let is_seen_there = inner.into_iter().any(|child| child.kind() == "server");
                !is_seen_there && self.tag("db.system.name").is_none()
            }
            _ => false,
        }
    }
}

impl Trace {
    /// A line for the whole trace, and one for each span: all spans, or only those between services. No line has more than
    /// `width` characters, whatever the names are.
    pub(super) fn to_lines(&self, all: bool, width: usize) -> Vec<String> {
        let children = self.children();
        let begin = self.spans.iter().map(|span| span.start_time).min().unwrap_or_default();
        let end = self.spans.iter().map(Span::end).max().unwrap_or_default();
        let services: BTreeSet<_> = self.spans.iter().map(|span| self.service(span)).collect();
        let id = printable(&self.id, LONGEST_NAME);
        let took = time(end.saturating_sub(begin));
        let counts = format!("{} spans, {} services", self.spans.len(), services.len());
        let mut lines = vec![
            format!("trace {id}: {counts}, {took}"),
            format!("{:>10} {:>10}  {:<WIDTH$} what", "after", "took", "service"),
        ];
        let shown = |span: &Span| all || span.is_edge(&children);
        let mut seen = HashSet::new();
        let roots = below(None, &children, &shown, &mut seen);
        let mut pending: Vec<_> =
            roots.into_iter().rev().map(|root| (root, Branch::default())).collect();
        // Without recursion: a trace may be as deep as it has spans.
        while let Some((span, branch)) = pending.pop() {
            lines.push(self.line(span, &branch, begin, width));
            let inner = below(Some(&span.id), &children, &shown, &mut seen);
            let last = inner.len().saturating_sub(1);
            let branches = inner.into_iter().enumerate();
            let next = branches.map(|(index, child)| (child, branch.next(index == last)));
            pending.extend(next.collect::<Vec<_>>().into_iter().rev());
        }
        lines
    }

    fn line(&self, span: &Span, branch: &Branch, begin: u64, width: usize) -> String {
        let failed = if span.failed() { "  FAILED" } else { "" };
        let line = format!(
            "{:>10} {:>10}  {:<WIDTH$} {}",
            time(span.start_time.saturating_sub(begin)),
            time(span.duration),
            printable(self.service(span), LONGEST_NAME),
            branch.here
        );
        let room = width.saturating_sub(line.chars().count() + failed.len());
        format!("{line}{}{failed}", printable(&span.what(), room.max(SHORTEST_WHAT)))
    }

    fn children(&self) -> Children<'_> {
        let known: BTreeSet<_> = self.spans.iter().map(|span| span.id.as_str()).collect();
        let mut children = Children::new();
        for span in &self.spans {
            let parent = span.parent(&self.id).filter(|parent| known.contains(parent));
            children.entry(parent).or_default().push(span);
        }
        for siblings in children.values_mut() {
            siblings.sort_by_key(|span| span.start_time);
        }
        children
    }

    fn service(&self, span: &Span) -> &str {
        self.processes.get(&span.process).map_or("?", |process| process.service_name.as_str())
    }
}

/// The nearest shown spans below a parent, each once: two spans may have the same id, and a span may be its own parent.
fn below<'a>(
    parent: Option<&str>,
    children: &Children<'a>,
    shown: &impl Fn(&Span) -> bool,
    seen: &mut HashSet<*const Span>,
) -> Vec<&'a Span> {
    let mut found = Vec::new();
    let mut pending: Vec<_> = children.get(&parent).cloned().unwrap_or_default();
    while let Some(span) = pending.pop() {
        if !seen.insert(std::ptr::from_ref(span)) {
            continue;
        }
        if shown(span) {
            found.push(span);
        } else {
            pending.extend(children.get(&Some(span.id.as_str())).into_iter().flatten());
        }
    }
    found.sort_by_key(|span| span.start_time);
    found
}

/// The beginning of a line: its own branch, and the branches that continue beside the lines below it.
#[derive(Default)]
struct Branch {
    here: String,
    beside: String,
    depth: usize,
}

/// Deeper spans are shown at this depth: readers cannot tell deeper levels apart.
const DEEPEST: usize = 24;

impl Branch {
    fn next(&self, is_last: bool) -> Self {
        if self.depth == DEEPEST {
            return Self { here: self.here.clone(), beside: self.beside.clone(), ..*self };
        }
        let (turn, beside) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self {
            here: format!("{}{turn}", self.beside),
            beside: format!("{}{beside}", self.beside),
            depth: self.depth + 1,
        }
    }
}

/// As wide as the longest service's name.
const WIDTH: usize = 13;
/// The maximum for names of other systems' services, which are longer.
const LONGEST_NAME: usize = 32;
/// The minimum that is shown of a name that does not fit on its line.
const SHORTEST_WHAT: usize = 16;

/// Microseconds as text for people.
fn time(microseconds: u64) -> String {
    let milliseconds = microseconds as f64 / 1000.0;
    if milliseconds < 1000.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{:.2} s", milliseconds / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn span(id: &str, parent: &str, kind: &str, name: &str, at: u64, service: &str) -> Value {
        let references = match parent {
            "" => json!([]),
            parent => json!([{ "refType": "CHILD_OF", "traceID": "t", "spanID": parent }]),
        };
        json!({
            "traceID": "t", "spanID": id, "operationName": name, "references": references, "startTime": 1_000 + at,
            "duration": 1_500, "tags": [{ "key": "span.kind", "type": "string", "value": kind }], "processID": service,
        })
    }

    fn trace(spans: Vec<Value>) -> Trace {
        let process = |name: &str| json!({ "serviceName": name, "tags": [] });
        let processes = json!({ "gateway": process("gateway"), "orders": process("orders") });
        serde_json::from_value(json!({ "traceID": "t", "spans": spans, "processes": processes }))
            .unwrap()
    }

    fn order() -> Trace {
        let mut sent = span("5", "4", "producer", "send orders.events", 2_000_000, "orders");
        sent["tags"].as_array_mut().unwrap().push(
            json!({ "key": "cloudevents.event_type", "type": "string", "value": "mesh.orders.v1.OrderPlaced" }),
        );
        trace(vec![
            span("4", "3", "internal", "place order", 300, "orders"),
            span("1", "", "server", "POST /api/orders", 0, "gateway"),
            span("3", "2", "server", "Orders/Place", 200, "orders"),
            span("2", "1", "client", "Orders/Place", 100, "gateway"),
            span("6", "4", "client", "insert order", 350, "orders"),
            sent,
        ])
    }

    #[test]
    fn the_tree_of_a_trace_has_a_line_for_each_edge() {
        let expected = [
            "trace t: 6 spans, 2 services, 2.00 s",
            "     after       took  service       what",
            "    0.0 ms     1.5 ms  gateway       POST /api/orders",
            "    0.2 ms     1.5 ms  orders        └─ Orders/Place",
            "    0.3 ms     1.5 ms  orders           ├─ insert order",
            "    2.00 s     1.5 ms  orders           └─ send orders.events OrderPlaced",
        ];
        assert_eq!(order().to_lines(false, 200), expected);
    }

    #[test]
    fn a_database_statement_has_no_line_and_a_failed_span_is_marked() {
        let mut statement = span("2", "1", "client", "insert order", 100, "orders");
        statement["tags"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "key": "db.system.name", "type": "string", "value": "sqlite" }));
        let mut root = span("1", "", "server", "Orders/Place", 0, "orders");
        root["tags"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "key": "error", "type": "bool", "value": true }));
        let trace = trace(vec![root, statement]);
        assert_eq!(
            trace.to_lines(false, 200)[2..],
            ["    0.0 ms     1.5 ms  orders        Orders/Place  FAILED"]
        );
        assert_eq!(trace.to_lines(true, 200).len(), 4);
    }

    #[test]
    fn the_full_tree_has_a_line_for_each_span() {
        assert_eq!(order().to_lines(true, 200).len(), 2 + 6);
    }

    #[test]
    fn a_span_without_its_parent_is_printed_as_a_root() {
        let lost = trace(vec![span("9", "8", "consumer", "process orders.events", 0, "orders")]);
        assert!(lost.to_lines(false, 200)[2].ends_with("process orders.events"));
    }

    #[test]
    fn foreign_names_are_escaped_and_cut_to_the_width() {
        let name = format!("GET /\x1b[2J\r{}", "x".repeat(500));
        let mut root = span("1", "", "server", &name, 0, "orders");
        root["tags"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "key": "error", "type": "bool", "value": true }));
        let mut trace = trace(vec![root]);
        trace.id = "\x1b]0;title\x07".into();
        trace.processes.get_mut("orders").unwrap().service_name = "or\u{9b}ders".into();
        for line in trace.to_lines(false, 80) {
            assert!(!line.contains(char::is_control) && line.chars().count() <= 80, "{line:?}");
        }
        let line = trace.to_lines(false, 80).remove(2);
        assert!(line.contains("or\\u{9b}ders") && line.ends_with("x…  FAILED"), "{line}");
    }

    #[test]
    fn every_span_of_a_trace_with_loops_or_thousands_of_levels_is_printed_once() {
        let twins = vec![
            span("1", "", "server", "a", 0, "orders"),
            span("1", "1", "server", "b", 1, "orders"),
            span("1", "1", "internal", "c", 2, "orders"),
        ];
        assert_eq!(trace(twins).to_lines(true, 200).len(), 2 + 3);
        let mut chain = vec![span("0", "", "server", "a", 0, "orders")];
        let link = |n: u64| span(&n.to_string(), &(n - 1).to_string(), "server", "a", n, "orders");
        chain.extend((1..20_000).map(link));
        chain[19_999]["duration"] = json!(u64::MAX);
        let lines = trace(chain).to_lines(false, 120);
        assert_eq!(lines.len(), 2 + 20_000);
        assert!(lines.iter().all(|line| line.chars().count() <= 130));
    }
}
