//! A trace as lines for people. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

/// A trace as Jaeger's query API tells it.
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
    /// Microseconds since the Unix epoch.
    start_time: u64,
    /// Microseconds.
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

/// Spans by their parent, the earliest first; those whose parent is not here are at the root, `None`.
type Children<'a> = BTreeMap<Option<&'a str>, Vec<&'a Span>>;

impl Span {
    fn tag(&self, key: &str) -> Option<&Value> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
    }

    fn kind(&self) -> &str {
        self.tag("span.kind").and_then(Value::as_str).unwrap_or("internal")
    }

    /// Its name; of an event that was sent also which.
    fn what(&self) -> String {
        let event = self.tag("cloudevents.event_type").and_then(Value::as_str);
        match event.and_then(|event| event.rsplit('.').next()).filter(|_| self.kind() == "producer")
        {
            Some(event) => format!("{} {event}", self.operation_name),
            None => self.operation_name.clone(),
        }
    }

    fn failed(&self) -> bool {
        self.tag("error").is_some_and(|value| *value == Value::Bool(true))
    }

    fn parent(&self, trace: &str) -> Option<&str> {
        let mut parents = self.references.iter().filter(|one| one.trace == trace);
        parents.find(|one| one.ref_type == "CHILD_OF").map(|one| one.span.as_str())
    }

    /// Whether it is where something enters or leaves a service, told from the side that tells more.
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
    /// A line for the whole, and one for each span: all of them, or only those between services.
    pub(super) fn tell(&self, all: bool) -> Vec<String> {
        let children = self.children();
        let begin = self.spans.iter().map(|span| span.start_time).min().unwrap_or_default();
        let end = self.spans.iter().map(|span| span.start_time + span.duration).max();
        let services: BTreeSet<_> = self.spans.iter().map(|span| self.service(span)).collect();
        let mut lines = vec![
            format!(
                "trace {}: {} spans, {} services, {}",
                self.id,
                self.spans.len(),
                services.len(),
                time(end.unwrap_or_default().saturating_sub(begin))
            ),
            format!("{:>10} {:>10}  {:<WIDTH$} what", "after", "took", "service"),
        ];
        let shown = |span: &Span| all || span.is_edge(&children);
        for root in Self::below(None, &children, &shown) {
            self.branch(root, &Branch::default(), begin, &children, &shown, &mut lines);
        }
        lines
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

    /// The nearest spans below that are shown.
    fn below<'a>(
        parent: Option<&str>,
        children: &Children<'a>,
        shown: &impl Fn(&Span) -> bool,
    ) -> Vec<&'a Span> {
        let mut found = Vec::new();
        for child in children.get(&parent).into_iter().flatten() {
            if shown(child) {
                found.push(*child);
            } else {
                found.extend(Self::below(Some(&child.id), children, shown));
            }
        }
        found.sort_by_key(|span| span.start_time);
        found
    }

    fn branch(
        &self,
        span: &Span,
        branch: &Branch,
        begin: u64,
        children: &Children<'_>,
        shown: &impl Fn(&Span) -> bool,
        lines: &mut Vec<String>,
    ) {
        let failed = if span.failed() { "  FAILED" } else { "" };
        lines.push(format!(
            "{:>10} {:>10}  {:<WIDTH$} {}{}{failed}",
            time(span.start_time.saturating_sub(begin)),
            time(span.duration),
            self.service(span),
            branch.here,
            span.what(),
        ));
        let below = Self::below(Some(&span.id), children, shown);
        let last = below.len().saturating_sub(1);
        for (index, child) in below.into_iter().enumerate() {
            let next = branch.next(index == last);
            self.branch(child, &next, begin, children, shown, lines);
        }
    }
}

/// What a line begins with: its own branch, and those that go on beside the lines below it.
#[derive(Default)]
struct Branch {
    here: String,
    beside: String,
}

impl Branch {
    fn next(&self, is_last: bool) -> Self {
        let (turn, beside) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self { here: format!("{}{turn}", self.beside), beside: format!("{}{beside}", self.beside) }
    }
}

/// As wide as the longest service's name.
const WIDTH: usize = 13;

/// Microseconds for people.
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
    fn a_story_is_told_by_its_edges() {
        let expected = [
            "trace t: 6 spans, 2 services, 2.00 s",
            "     after       took  service       what",
            "    0.0 ms     1.5 ms  gateway       POST /api/orders",
            "    0.2 ms     1.5 ms  orders        └─ Orders/Place",
            "    0.3 ms     1.5 ms  orders           ├─ insert order",
            "    2.00 s     1.5 ms  orders           └─ send orders.events OrderPlaced",
        ];
        assert_eq!(order().tell(false), expected);
    }

    #[test]
    fn a_statement_is_no_edge_and_a_failure_is_told() {
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
            trace.tell(false)[2..],
            ["    0.0 ms     1.5 ms  orders        Orders/Place  FAILED"]
        );
        assert_eq!(trace.tell(true).len(), 4);
    }

    #[test]
    fn nothing_is_left_out_of_the_whole() {
        assert_eq!(order().tell(true).len(), 2 + 6);
    }

    #[test]
    fn a_span_whose_parent_is_not_here_is_told_all_the_same() {
        let lost = trace(vec![span("9", "8", "consumer", "process orders.events", 0, "orders")]);
        assert!(lost.tell(false)[2].ends_with("process orders.events"));
    }
}
