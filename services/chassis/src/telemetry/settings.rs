//! The settings of telemetry.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{Secret, SecretUrl};

/// Traces and logs over OTLP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Whether to record nothing at all; `OTEL_SDK_DISABLED`.
    pub disabled: bool,
    /// `service.name` of this process; the service's own name if empty. `OTEL_SERVICE_NAME`.
    pub service_name: String,
    /// Where to send traces and logs by OTLP, e.g. `http://127.0.0.1:4317`; nowhere if empty. `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub endpoint: SecretUrl,
    /// How to send them: `grpc`, or `http/protobuf`. `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub protocol: String,
    /// Headers of every export, `name=value` pairs with commas, values percent-encoded; `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Secret,
    /// The fraction of the traces that begin here which are recorded, 0 to 1. `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`.
    pub sample_ratio: f64,
    /// Whether a trace that began elsewhere is recorded if and only if its parent was, whatever the ratio.
    /// `OTEL_TRACES_SAMPLER`.
    pub parent_based: bool,
    /// Further resource attributes of this process, `name=value` pairs with commas, values percent-encoded;
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource_attributes: String,
    /// How long one export may take; `OTEL_EXPORTER_OTLP_TIMEOUT` (milliseconds).
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The settings of traces alone; `OTEL_EXPORTER_OTLP_TRACES_*`.
    pub traces: Signal,
    /// The settings of logs alone; `OTEL_EXPORTER_OTLP_LOGS_*`.
    pub logs: Signal,
    /// How many spans, and how many log lines, may wait to be sent; further ones are dropped and counted.
    pub queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            disabled: false,
            service_name: String::new(),
            endpoint: SecretUrl::default(),
            protocol: "grpc".into(),
            headers: Secret::default(),
            sample_ratio: 1.0,
            parent_based: true,
            resource_attributes: String::new(),
            timeout: Duration::from_secs(3),
            traces: Signal::default(),
            logs: Signal::default(),
            queue: 8192,
        }
    }
}

/// The settings of one signal; an empty or zero value means the setting of all signals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Signal {
    /// Where to send the signal; over HTTP the whole URL, path included.
    pub endpoint: SecretUrl,
    /// The protocol.
    pub protocol: String,
    /// The headers of its exports.
    pub headers: Secret,
    /// How long one of its exports may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

/// The transports of OTLP: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specify-protocol>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    HttpProtobuf,
}

impl Protocol {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "grpc" => Ok(Self::Grpc),
            "http/protobuf" => Ok(Self::HttpProtobuf),
            other => Err(format!("{other:?} is not spoken here; expected grpc or http/protobuf")),
        }
    }
}

/// Log lines on standard output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Log {
    /// `json`, `pretty`, or `auto`: pretty on a terminal, else JSON.
    pub format: LogFormat,
    /// The filter: directives as `info,chassis=debug`; `PUT /log-level` changes it at run time.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// For people to read.
    Pretty,
}
