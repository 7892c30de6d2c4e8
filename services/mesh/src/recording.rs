//! A recorded run: a zip file with the traces, log lines and metrics of a mesh.
//!
//! ```text
//!  manifest.json      what it is: version, time span, services, counts
//!  traces.jsonl       OTLP's JSON, one ExportTraceServiceRequest a line, as the Collector's file exporter writes it
//!  logs.jsonl         … ExportLogsServiceRequest
//!  metrics.jsonl      … ExportMetricsServiceRequest, one point of each series each fifteen seconds
//!  metrics.snapshot   every sample, as lens keeps it: readable by a lens of the same version only
//! ```

mod count;
mod reader;
mod writer;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use self::{count::Counts, reader::Reader, writer::Writer};

/// The first field of a manifest: other zip files have none.
const FORMAT: &str = "glassmesh run";

/// The version of the format. A reader refuses a higher one.
const VERSION: u32 = 1;

/// The file that says what the others are.
const MANIFEST: &str = "manifest.json";

/// The kinds of data in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Traces,
    Logs,
    Metrics,
    Snapshot,
}

impl Entry {
    pub(crate) const ALL: [Self; 4] = [Self::Traces, Self::Logs, Self::Metrics, Self::Snapshot];

    /// The name in the zip file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces.jsonl",
            Self::Logs => "logs.jsonl",
            Self::Metrics => "metrics.jsonl",
            Self::Snapshot => "metrics.snapshot",
        }
    }

    /// The path of lens that returns it.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Traces => "/lens/v1/export/traces",
            Self::Logs => "/lens/v1/export/logs",
            Self::Metrics => "/lens/v1/export/metrics",
            Self::Snapshot => "/lens/v1/export/snapshot",
        }
    }
}

/// What a run has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: String,
    version: u32,
    /// The version of the program that wrote it.
    program: String,
    /// The earliest time in it, RFC 3339.
    pub(crate) from: String,
    /// The latest time in it: the present of a replay.
    pub(crate) to: String,
    pub(crate) services: BTreeSet<String>,
    pub(crate) spans: u64,
    pub(crate) log_lines: u64,
    pub(crate) metric_points: u64,
}

impl Manifest {
    pub(crate) fn new(counts: &Counts, now_ns: u64) -> Self {
        let (from, to) = counts.span_of_time(now_ns);
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            from: timestamp(from),
            to: timestamp(to),
            services: counts.services.clone(),
            spans: counts.spans,
            log_lines: counts.log_lines,
            metric_points: counts.metric_points,
        }
    }

    /// What a user wants to know of it, in a line.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} spans and {} log lines of {} services, and {} points of metrics, from {} to {}",
            self.spans,
            self.log_lines,
            self.services.len(),
            self.metric_points,
            self.from,
            self.to
        )
    }
}

fn timestamp(ns: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(ns);
    humantime::format_rfc3339_millis(time).to_string()
}
