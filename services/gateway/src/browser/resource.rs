//! The resource under which a page's telemetry is forwarded.

use chassis::telemetry::otlp::{
    common::{AnyValue, KeyValue, any_value::Value},
    resource::Resource,
};

use super::checks;

/// The name under which all browsers appear: a page must not be able to write into the records of a service.
const SERVICE: &str = "browser";

/// What a page may say about itself.
/// <https://opentelemetry.io/docs/specs/semconv/resource/browser/>
const ATTRIBUTES: [&str; 6] = [
    "browser.brands",
    "browser.language",
    "browser.mobile",
    "browser.platform",
    "session.id",
    "user_agent.original",
];

/// Our resource, with what the page says about itself as far as it is allowed; the rest is left out.
pub(super) fn of(sent: Option<Resource>) -> Option<Resource> {
    let text = |key: &str, text: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) }),
        ..KeyValue::default()
    };
    let mut attributes = vec![
        text("service.name", SERVICE),
        text("service.namespace", "glassmesh"),
        text("telemetry.sdk.language", "webjs"),
        text("telemetry.sdk.name", "console"),
    ];
    for name in ATTRIBUTES {
        let mut sent = sent.iter().flat_map(|resource| &resource.attributes);
        let found = sent.find(|attribute| attribute.key == name);
        attributes.extend(found.filter(|one| checks::attribute(one).is_ok()).cloned());
    }
    Some(Resource { attributes, ..Resource::default() })
}
