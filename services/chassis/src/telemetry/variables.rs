//! The variables of the OpenTelemetry specification as a layer of the configuration.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use figment::value::{Dict, Value};

use crate::config::{ConfigError, Layer, insert};

enum Kind {
    Text,
    Milliseconds,
    /// `true` in any case; every other text is false.
    Truth,
}

/// The supported variables besides the sampler, and the setting of each. A variable of one signal has precedence over that of
/// all signals.
const VARIABLES: [(&str, &[&str], Kind); 15] = [
    ("OTEL_SDK_DISABLED", &["disabled"], Kind::Truth),
    ("OTEL_SERVICE_NAME", &["service_name"], Kind::Text),
    ("OTEL_RESOURCE_ATTRIBUTES", &["resource_attributes"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", &["endpoint"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", &["protocol"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_HEADERS", &["headers"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", &["timeout"], Kind::Milliseconds),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &["traces", "endpoint"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", &["traces", "protocol"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", &["traces", "headers"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", &["traces", "timeout"], Kind::Milliseconds),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &["logs", "endpoint"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", &["logs", "protocol"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", &["logs", "headers"], Kind::Text),
    ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", &["logs", "timeout"], Kind::Milliseconds),
];

const SECTION: &str = "telemetry";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Reads the variables. One that is empty counts as unset.
pub(crate) fn layer(variables: &[(String, String)], errors: &mut Vec<ConfigError>) -> Layer {
    let mut values = Dict::new();
    // An empty variable counts as unset, as the specification says.
    let find = |name: &str| {
        let value =
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    };
    for (variable, path, kind) in &VARIABLES {
        let Some(value) = find(variable) else { continue };
        let value = match kind {
            Kind::Text => value.into(),
            Kind::Truth => value.eq_ignore_ascii_case("true").into(),
            Kind::Milliseconds if value.parse::<u64>().is_ok() => format!("{value}ms").into(),
            Kind::Milliseconds => {
                let key = format!("{SECTION}.{}", path.join("."));
                errors.push(error(&key, variable, "expected milliseconds, as 3000"));
                continue;
            }
        };
        insert(&mut values, &setting(path), value);
    }
    if let Some(sampler) = find(SAMPLER) {
        sample(&mut values, sampler, find(RATIO), errors);
    }
    Layer::new(values, spell)
}

/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration>
fn sample(values: &mut Dict, sampler: &str, ratio: Option<&str>, errors: &mut Vec<ConfigError>) {
    let (parent_based, root) = match sampler.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, sampler),
    };
    let key = format!("{SECTION}.sample_ratio");
    let value: Value = match (root, ratio.map(str::parse::<f64>)) {
        ("always_on", _) | ("traceidratio", None) => 1.0.into(),
        ("always_off", _) => 0.0.into(),
        ("traceidratio", Some(Ok(ratio))) => ratio.into(),
        ("traceidratio", Some(Err(_))) => {
            return errors.push(error(&key, RATIO, "expected a number from 0 to 1"));
        }
        _ => {
            let what = "no such sampler here; expected always_on, always_off, traceidratio, or parentbased_ and one of these";
            return errors.push(error(&key, SAMPLER, &format!("{sampler:?}: {what}")));
        }
    };
    insert(values, &setting(&["sample_ratio"]), value);
    insert(values, &setting(&["parent_based"]), parent_based.into());
}

fn setting(path: &[&str]) -> Vec<String> {
    std::iter::once(&SECTION).chain(path).map(|part| (*part).to_owned()).collect()
}

fn error(key: &str, variable: &str, what: &str) -> ConfigError {
    let source = format!("environment variable {variable}");
    ConfigError { key: key.to_owned(), what: what.to_owned(), source }
}

fn spell(keys: &[&str]) -> String {
    let path = keys.get(1..).unwrap_or_default();
    let variable =
        VARIABLES.iter().find(|(_, setting, _)| *setting == path).map(|(name, ..)| *name);
    match path {
        ["sample_ratio"] => RATIO.into(),
        ["parent_based"] => SAMPLER.into(),
        _ => variable.unwrap_or("OTEL_*").into(),
    }
}
