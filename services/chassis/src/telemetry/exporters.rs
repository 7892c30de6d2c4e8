//! Where and how telemetry is sent: OTLP over gRPC or HTTP, with an own endpoint for each signal if one is set.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_otlp::{
    LogExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};

use super::{
    layers,
    settings::{Log, Protocol, Settings, Signal},
};
use crate::config::{Secret, percent_decoded};

/// The settings of one signal's exporter.
pub(super) struct Way {
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

/// Builds one signal's exporter. The SDK's builders have the same steps for every signal, but no trait in common.
macro_rules! build {
    ($exporter:ident, $way:expr) => {{
        let Way { endpoint, protocol, headers, timeout } = $way;
        match protocol {
            Protocol::Grpc => $exporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_timeout(timeout)
                .with_metadata(tonic::metadata::MetadataMap::from_headers(headers))
                .build()?,
            Protocol::HttpProtobuf => $exporter::builder()
                .with_http()
                .with_http_client(client(timeout)?)
                .with_endpoint(endpoint)
                .with_timeout(timeout)
                .with_headers(map(&headers))
                .build()?,
        }
    }};
}

pub(super) fn spans(settings: &Settings) -> anyhow::Result<Option<SpanExporter>> {
    let Some(way) = way(settings, &settings.traces, "/v1/traces")? else { return Ok(None) };
    Ok(Some(build!(SpanExporter, way)))
}

pub(super) fn logs(settings: &Settings) -> anyhow::Result<Option<LogExporter>> {
    let Some(way) = way(settings, &settings.logs, "/v1/logs")? else { return Ok(None) };
    Ok(Some(build!(LogExporter, way)))
}

/// The time limit of one export of the signal.
pub(super) fn timeout(settings: &Settings, signal: &Signal) -> Duration {
    if signal.timeout.is_zero() { settings.timeout } else { signal.timeout }
}

/// `None` if the signal has no endpoint.
pub(super) fn way(settings: &Settings, signal: &Signal, path: &str) -> anyhow::Result<Option<Way>> {
    let own = !signal.endpoint.expose().is_empty();
    let endpoint = if own { &signal.endpoint } else { &settings.endpoint }.expose();
    if endpoint.is_empty() {
        return Ok(None);
    }
    let protocol = if signal.protocol.is_empty() { &settings.protocol } else { &signal.protocol };
    let protocol = Protocol::parse(protocol).map_err(anyhow::Error::msg)?;
    // Over HTTP, the endpoint of all signals is a base URL, and that of one signal is its whole URL.
    let endpoint = match protocol {
        Protocol::HttpProtobuf if !own => format!("{}{path}", endpoint.trim_end_matches('/')),
        _ => endpoint.to_owned(),
    };
    let given =
        if signal.headers.expose().is_empty() { &settings.headers } else { &signal.headers };
    let headers = headers(given).map_err(anyhow::Error::msg)?;
    Ok(Some(Way { endpoint, protocol, headers, timeout: timeout(settings, signal) }))
}

pub(super) fn client(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().timeout(timeout);
    client.redirect(reqwest::redirect::Policy::none()).build().context("build the client of OTLP")
}

fn map(headers: &HeaderMap) -> HashMap<String, String> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Parses `a=b,c=d` with percent-encoded values, as the specification writes headers and attributes. The error does not repeat
/// any value.
/// <https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    for (index, pair) in text.split(',').enumerate() {
        if pair.trim().is_empty() {
            continue;
        }
        let wrong = |what: &str| format!("pair {}: {what}", index + 1);
        let (name, value) =
            pair.split_once('=').ok_or_else(|| wrong("expected name=value, pairs with commas"))?;
        let (name, value) = (percent_decoded(name.trim()), percent_decoded(value.trim()));
        match (name, value) {
            (Some(name), Some(value)) if !name.is_empty() => all.push((name, value)),
            (Some(name), Some(_)) if name.is_empty() => return Err(wrong("has no name")),
            _ => {
                return Err(wrong(
                    "a % must be followed by two hexadecimal digits (%25 is the sign itself)",
                ));
            }
        }
    }
    Ok(all)
}

fn headers(text: &Secret) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (index, (name, value)) in pairs(text.expose())?.into_iter().enumerate() {
        let wrong = |what: &str| format!("header {}: {what}", index + 1);
        let name = HeaderName::try_from(name).map_err(|_| wrong("its name is not one of HTTP"))?;
        let value =
            HeaderValue::try_from(value).map_err(|_| wrong("its value is not one of HTTP"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn endpoint(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let wrong = "expected http://host:port";
    let uri: Uri = text.parse().map_err(|error| format!("{error}; {wrong}"))?;
    match uri.scheme_str() {
        Some("http") => Ok(()),
        Some("https") => {
            Err("telemetry is sent without TLS; send it to a collector nearby, which can".into())
        }
        Some(other) => Err(format!("no scheme {other:?} here; {wrong}")),
        None => Err(format!("has no scheme; {wrong}")),
    }
}

/// Checks values that cannot be used: the setting, and what was expected.
pub(crate) fn check(settings: &Settings, log: &Log) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut look = |key: &str, result: Result<(), String>| {
        if let Err(what) = result {
            wrong.push((key.to_owned(), what));
        }
    };
    look("log.filter", layers::check(&log.filter));
    look("telemetry.endpoint", endpoint(settings.endpoint.expose()));
    look("telemetry.protocol", Protocol::parse(&settings.protocol).map(drop));
    look("telemetry.headers", headers(&settings.headers).map(drop));
    look("telemetry.resource_attributes", pairs(&settings.resource_attributes).map(drop));
    for (name, signal) in [("traces", &settings.traces), ("logs", &settings.logs)] {
        look(&format!("telemetry.{name}.endpoint"), endpoint(signal.endpoint.expose()));
        look(&format!("telemetry.{name}.headers"), headers(&signal.headers).map(drop));
        if !signal.protocol.is_empty() {
            look(
                &format!("telemetry.{name}.protocol"),
                Protocol::parse(&signal.protocol).map(drop),
            );
        }
    }
    let ratio = settings.sample_ratio;
    let in_range = (0.0..=1.0).contains(&ratio);
    look(
        "telemetry.sample_ratio",
        if in_range { Ok(()) } else { Err(format!("is {ratio}; expected 0 to 1")) },
    );
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(change: impl FnOnce(&mut Settings, &mut Log)) -> Vec<(String, String)> {
        let (mut settings, mut log) = (Settings::default(), Log::default());
        change(&mut settings, &mut log);
        check(&settings, &log)
    }

    #[test]
    fn what_cannot_be_run_with_is_known_before_it_is_run() {
        assert_eq!(mistakes(|_, _| ()), []);
        for wrong in [
            "localhost:4317",
            "collector",
            "grpc://collector:4317",
            "https://collector:4317",
            "http://",
            "http://a b",
        ] {
            let found = mistakes(|settings, _| settings.endpoint = wrong.into());
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            let found = mistakes(|settings, _| settings.logs.endpoint = wrong.into());
            assert_eq!(found[0].0, "telemetry.logs.endpoint", "{wrong}");
        }
        for wrong in ["a b=c", "a", "=b", "a=%zz", "a=\u{1}"] {
            let found =
                mistakes(|settings, _| settings.headers = format!("x=hunter2,{wrong}").into());
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            assert!(!found[0].1.contains("hunter2"), "{found:?}");
        }
        for wrong in ["orders=wat", "", " ", ",", "=", "info,["] {
            let found = mistakes(|_, log| log.filter = wrong.into());
            assert_eq!(found.len(), 1, "{wrong:?}: {found:?}");
        }
        for wrong in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
            let found = mistakes(|settings, _| settings.sample_ratio = wrong);
            assert_eq!(found.len(), 1, "{wrong}");
        }
        for wrong in ["http/json", "http", "GRPC", ""] {
            let found = mistakes(|settings, _| settings.protocol = wrong.into());
            assert_eq!(found.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn pairs_are_read_as_the_specification_writes_them() {
        let read = pairs("a=b, c = d%20e%2Cf ,g=h=i,,").unwrap();
        let read: Vec<_> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("a", "b"), ("c", "d e,f"), ("g", "h=i")]);
    }

    #[test]
    fn what_is_for_one_signal_wins_over_what_is_for_all() {
        let settings = Settings {
            endpoint: "http://all:4318/".into(),
            protocol: "http/protobuf".into(),
            headers: "a=1".into(),
            logs: Signal {
                endpoint: "http://logs:4317".into(),
                protocol: "grpc".into(),
                headers: "b=2".into(),
                timeout: Duration::from_secs(9),
            },
            ..Settings::default()
        };
        let traces = way(&settings, &settings.traces, "/v1/traces").unwrap().unwrap();
        assert_eq!(
            (traces.endpoint.as_str(), traces.protocol),
            ("http://all:4318/v1/traces", Protocol::HttpProtobuf)
        );
        assert!(traces.headers.contains_key("a") && traces.timeout == settings.timeout);
        let logs = way(&settings, &settings.logs, "/v1/logs").unwrap().unwrap();
        assert_eq!((logs.endpoint.as_str(), logs.protocol), ("http://logs:4317", Protocol::Grpc));
        assert!(!logs.headers.contains_key("a") && logs.timeout == Duration::from_secs(9));
    }
}
