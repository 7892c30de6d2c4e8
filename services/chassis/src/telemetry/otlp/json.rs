//! OTLP's JSON → OTLP's messages: what [protobuf's JSON](https://protobuf.dev/programming-guides/json/) lets a sender write, with
//! [OTLP's own rules](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids are hexadecimal, unknown fields are
//! ignored.
//!
//! Every field may be missing or `null`, have either of its names, and numbers may be strings. The generated messages' own reader
//! accepts less, and refuses a whole request for one field. Here only the span or log record with the mistake is refused, or, if
//! the mistake is in a resource or scope, all that belongs to it.

mod message;
mod scalar;
#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1 as common,
    logs::v1 as logs,
    resource::v1 as resource,
    trace::v1 as trace,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use self::message::{LogRecord, Resource, Scope, Span};

/// The part of a request that could be read, and what was refused.
#[derive(Debug)]
pub struct Read<T> {
    /// What could be read.
    pub request: T,
    /// What could not.
    pub refused: Refused,
}

/// The refused items.
#[derive(Debug, Default)]
pub struct Refused {
    /// Their number, as far as they can be counted.
    pub items: u64,
    /// The first mistake.
    pub why: Option<String>,
}

impl Refused {
    fn add(&mut self, items: usize, what: &str, error: &impl ToString) {
        self.items += items as u64;
        self.why.get_or_insert_with(|| format!("{what}: {}", error.to_string()));
    }
}

/// Reads an export of spans.
///
/// # Errors
/// The body is not JSON, or not an export of spans.
pub fn traces(body: &[u8]) -> Result<Read<ExportTraceServiceRequest>, String> {
    let text = String::from_utf8_lossy(body);
    let all: Export<'_> = whole(&text)?;
    let mut refused = Refused::default();
    let mut resource_spans = Vec::new();
    for (resource, scopes) in all.groups(&mut refused) {
        let scope_spans = scopes.into_iter().map(|Items { scope, items }| {
            let spans = each(&items, "a span", Span::into_wire, &mut refused);
            trace::ScopeSpans { scope, spans, ..trace::ScopeSpans::default() }
        });
        let scope_spans = scope_spans.collect();
        resource_spans.push(trace::ResourceSpans {
            resource,
            scope_spans,
            ..trace::ResourceSpans::default()
        });
    }
    Ok(Read { request: ExportTraceServiceRequest { resource_spans }, refused })
}

/// Reads an export of log records.
///
/// # Errors
/// The body is not JSON, or not an export of log records.
pub fn logs(body: &[u8]) -> Result<Read<ExportLogsServiceRequest>, String> {
    let text = String::from_utf8_lossy(body);
    let all: Export<'_> = whole(&text)?;
    let mut refused = Refused::default();
    let mut resource_logs = Vec::new();
    for (resource, scopes) in all.groups(&mut refused) {
        let scope_logs = scopes.into_iter().map(|Items { scope, items }| {
            let log_records = each(&items, "a log record", LogRecord::into_wire, &mut refused);
            logs::ScopeLogs { scope, log_records, ..logs::ScopeLogs::default() }
        });
        let scope_logs = scope_logs.collect();
        resource_logs.push(logs::ResourceLogs {
            resource,
            scope_logs,
            ..logs::ResourceLogs::default()
        });
    }
    Ok(Read { request: ExportLogsServiceRequest { resource_logs }, refused })
}

/// A list whose items are read one by one.
type Raw<'a> = Option<Vec<&'a RawValue>>;

fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    // Without this check, derived readers would accept an array as an object, field by field.
    if !text.starts_with('{') {
        return Err("expected an object".into());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Parses the whole body; some senders begin with a byte order mark.
fn whole<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    object(text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii_start())
}

fn each<T: DeserializeOwned, W>(
    items: &[&RawValue],
    what: &str,
    into_wire: fn(T) -> W,
    refused: &mut Refused,
) -> Vec<W> {
    let mut all = Vec::with_capacity(items.len());
    for item in items.iter().filter(|item| item.get() != "null") {
        match object(item.get()) {
            Ok(read) => all.push(into_wire(read)),
            Err(error) => refused.add(1, what, &error),
        }
    }
    all
}

/// The common structure of both kinds of exports.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Export<'a> {
    #[serde(borrow, alias = "resource_spans")]
    resource_spans: Raw<'a>,
    #[serde(borrow, alias = "resource_logs")]
    resource_logs: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfResource<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, alias = "scope_spans")]
    scope_spans: Raw<'a>,
    #[serde(borrow, alias = "scope_logs")]
    scope_logs: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfScope<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Raw<'a>,
    #[serde(borrow, alias = "log_records")]
    log_records: Raw<'a>,
}

/// The items of one scope.
struct Items<'a> {
    scope: Option<common::InstrumentationScope>,
    items: Vec<&'a RawValue>,
}

type Group<'a> = (Option<resource::Resource>, Vec<Items<'a>>);

impl<'a> Export<'a> {
    fn groups(self, refused: &mut Refused) -> Vec<Group<'a>> {
        let mut groups = Vec::new();
        let all = self.resource_spans.into_iter().chain(self.resource_logs).flatten();
        for text in all.filter(|text| text.get() != "null") {
            match object::<OfResource<'_>>(text.get()) {
                Ok(of_resource) => groups.extend(of_resource.group(refused)),
                Err(error) => refused.add(0, "what a resource has sent", &error),
            }
        }
        groups
    }
}

impl<'a> OfResource<'a> {
    fn group(self, refused: &mut Refused) -> Option<Group<'a>> {
        let mut scopes = Vec::new();
        let all = self.scope_spans.into_iter().chain(self.scope_logs).flatten();
        for text in all.filter(|text| text.get() != "null") {
            match object::<OfScope<'_>>(text.get()) {
                Ok(of_scope) => scopes.extend(of_scope.items(refused)),
                Err(error) => refused.add(0, "what a scope has sent", &error),
            }
        }
        match optional(self.resource, Resource::into_wire) {
            Ok(resource) => Some((resource, scopes)),
            Err(error) => {
                let items = scopes.iter().map(|scope| scope.items.len()).sum();
                refused.add(items, "a resource", &error);
                None
            }
        }
    }
}

impl<'a> OfScope<'a> {
    fn items(self, refused: &mut Refused) -> Option<Items<'a>> {
        let all = self.spans.into_iter().chain(self.log_records).flatten();
        let items: Vec<_> = all.collect();
        match optional(self.scope, Scope::into_wire) {
            Ok(scope) => Some(Items { scope, items }),
            Err(error) => {
                refused.add(items.len(), "a scope", &error);
                None
            }
        }
    }
}

fn optional<T: DeserializeOwned, W>(
    text: Option<&RawValue>,
    into_wire: fn(T) -> W,
) -> Result<Option<W>, String> {
    let text = text.map(RawValue::get).filter(|text| *text != "null");
    text.map(|text| object(text).map(into_wire)).transpose()
}
