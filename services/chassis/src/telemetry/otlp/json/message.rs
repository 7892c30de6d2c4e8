//! The messages of OTLP's JSON. Fields without use here are ignored: schema URLs, flags, counts of what a sender dropped.

use opentelemetry_proto::tonic::{
    common::v1 as common, logs::v1 as logs, resource::v1 as resource, trace::v1 as trace,
};
use serde::Deserialize;

use super::scalar::{Base64, Code, Double, Hex, Signed, Unsigned};

/// A list as senders may write it: missing, null, or with nulls in it.
type List<T> = Option<Vec<Option<T>>>;

fn items<T>(list: List<T>) -> impl Iterator<Item = T> {
    list.into_iter().flatten().flatten()
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    attributes: List<KeyValue>,
}

impl Resource {
    pub(super) fn into_wire(self) -> resource::Resource {
        let attributes = attributes(self.attributes);
        resource::Resource { attributes, ..resource::Resource::default() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    name: Option<String>,
    version: Option<String>,
    attributes: List<KeyValue>,
}

impl Scope {
    pub(super) fn into_wire(self) -> common::InstrumentationScope {
        common::InstrumentationScope {
            name: self.name.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            attributes: attributes(self.attributes),
            ..common::InstrumentationScope::default()
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    key: Option<String>,
    value: Option<AnyValue>,
}

fn attributes(list: List<KeyValue>) -> Vec<common::KeyValue> {
    let pair = |pair: KeyValue| common::KeyValue {
        key: pair.key.unwrap_or_default(),
        value: pair.value.map(AnyValue::into_wire),
        ..common::KeyValue::default()
    };
    items(list).map(pair).collect()
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AnyValue {
    #[serde(alias = "string_value")]
    string_value: Option<String>,
    #[serde(alias = "bool_value")]
    bool_value: Option<bool>,
    #[serde(alias = "int_value")]
    int_value: Option<Signed>,
    #[serde(alias = "double_value")]
    double_value: Option<Double>,
    #[serde(alias = "bytes_value")]
    bytes_value: Option<Base64>,
    #[serde(alias = "array_value")]
    array_value: Option<ArrayValue>,
    #[serde(alias = "kvlist_value")]
    kvlist_value: Option<KeyValues>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ArrayValue {
    values: List<AnyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValues {
    values: List<KeyValue>,
}

impl AnyValue {
    pub(super) fn into_wire(self) -> common::AnyValue {
        use common::any_value::Value as Wire;
        let array = |array: ArrayValue| {
            let values = items(array.values).map(Self::into_wire).collect();
            Wire::ArrayValue(common::ArrayValue { values })
        };
        let pairs = |list: KeyValues| {
            Wire::KvlistValue(common::KeyValueList { values: attributes(list.values) })
        };
        let value = self.string_value.map(Wire::StringValue);
        let value = value
            .or(self.bool_value.map(Wire::BoolValue))
            .or(self.int_value.map(|value| Wire::IntValue(value.0)))
            .or(self.double_value.map(|value| Wire::DoubleValue(value.0)))
            .or(self.bytes_value.map(|value| Wire::BytesValue(value.0)))
            .or(self.array_value.map(array))
            .or(self.kvlist_value.map(pairs));
        common::AnyValue { value }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Span {
    #[serde(alias = "trace_id")]
    trace_id: Option<Hex>,
    #[serde(alias = "span_id")]
    span_id: Option<Hex>,
    #[serde(alias = "parent_span_id")]
    parent_span_id: Option<Hex>,
    #[serde(alias = "trace_state")]
    trace_state: Option<String>,
    name: Option<String>,
    kind: Option<Code>,
    #[serde(alias = "start_time_unix_nano")]
    start_time_unix_nano: Option<Unsigned>,
    #[serde(alias = "end_time_unix_nano")]
    end_time_unix_nano: Option<Unsigned>,
    attributes: List<KeyValue>,
    events: List<Event>,
    links: List<Link>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(alias = "time_unix_nano")]
    time_unix_nano: Option<Unsigned>,
    name: Option<String>,
    attributes: List<KeyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Link {
    #[serde(alias = "trace_id")]
    trace_id: Option<Hex>,
    #[serde(alias = "span_id")]
    span_id: Option<Hex>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    code: Option<Code>,
    message: Option<String>,
}

impl Span {
    pub(super) fn into_wire(self) -> trace::Span {
        let event = |event: Event| trace::span::Event {
            time_unix_nano: event.time_unix_nano.unwrap_or_default().0,
            name: event.name.unwrap_or_default(),
            attributes: attributes(event.attributes),
            ..trace::span::Event::default()
        };
        let link = |link: Link| trace::span::Link {
            trace_id: link.trace_id.unwrap_or_default().0,
            span_id: link.span_id.unwrap_or_default().0,
            ..trace::span::Link::default()
        };
        let kind = |name: &str| trace::span::SpanKind::from_str_name(name).map(i32::from);
        let code = |name: &str| trace::status::StatusCode::from_str_name(name).map(i32::from);
        trace::Span {
            trace_id: self.trace_id.unwrap_or_default().0,
            span_id: self.span_id.unwrap_or_default().0,
            parent_span_id: self.parent_span_id.unwrap_or_default().0,
            trace_state: self.trace_state.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            kind: Code::number(self.kind, kind),
            start_time_unix_nano: self.start_time_unix_nano.unwrap_or_default().0,
            end_time_unix_nano: self.end_time_unix_nano.unwrap_or_default().0,
            attributes: attributes(self.attributes),
            events: items(self.events).map(event).collect(),
            links: items(self.links).map(link).collect(),
            status: self.status.map(|status| trace::Status {
                code: Code::number(status.code, code),
                message: status.message.unwrap_or_default(),
            }),
            ..trace::Span::default()
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogRecord {
    #[serde(alias = "time_unix_nano")]
    time_unix_nano: Option<Unsigned>,
    #[serde(alias = "observed_time_unix_nano")]
    observed_time_unix_nano: Option<Unsigned>,
    #[serde(alias = "severity_number")]
    severity_number: Option<Code>,
    #[serde(alias = "event_name")]
    event_name: Option<String>,
    body: Option<AnyValue>,
    attributes: List<KeyValue>,
    #[serde(alias = "trace_id")]
    trace_id: Option<Hex>,
    #[serde(alias = "span_id")]
    span_id: Option<Hex>,
}

impl LogRecord {
    pub(super) fn into_wire(self) -> logs::LogRecord {
        let severity = |name: &str| logs::SeverityNumber::from_str_name(name).map(i32::from);
        logs::LogRecord {
            time_unix_nano: self.time_unix_nano.unwrap_or_default().0,
            observed_time_unix_nano: self.observed_time_unix_nano.unwrap_or_default().0,
            severity_number: Code::number(self.severity_number, severity),
            event_name: self.event_name.unwrap_or_default(),
            body: self.body.map(AnyValue::into_wire),
            attributes: attributes(self.attributes),
            trace_id: self.trace_id.unwrap_or_default().0,
            span_id: self.span_id.unwrap_or_default().0,
            ..logs::LogRecord::default()
        }
    }
}
