//! Record headers: CloudEvents 1.0 in Kafka's binary mode, and W3C trace context.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>

use opentelemetry::{Context, global, propagation::Injector};
use rdkafka::message::{Header, OwnedHeaders};

/// The event's id.
pub const ID: &str = "ce_id";
/// The event's type.
pub const TYPE: &str = "ce_type";
/// The service that sent it: `/mesh/<service>`.
pub const SOURCE: &str = "ce_source";
/// When the event happened, RFC 3339.
pub const TIME: &str = "ce_time";
/// The version of CloudEvents.
pub const SPECVERSION: &str = "ce_specversion";
/// Present if the event was also sent to an earlier log of the broker.
pub const RESENT: &str = "mesh_resent";
/// In a dead letter, and in an event that was replayed from one: the only consumer group that handles the event again.
pub const GROUP: &str = "dlq_group";
/// The payload's media type.
pub const CONTENT_TYPE: &str = "content-type";

pub(crate) fn set(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// Adds a trace context to a record's headers.
pub(crate) fn inject(context: &Context, headers: OwnedHeaders) -> OwnedHeaders {
    let mut carrier = Carried(headers);
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut carrier));
    carrier.0
}

struct Carried(OwnedHeaders);

impl Injector for Carried {
    fn set(&mut self, key: &str, value: String) {
        // `insert` takes the headers by value and returns them.
        self.0 = set(std::mem::take(&mut self.0), key, &value);
    }
}
