//! Telemetry of the console in the browser: checked, given a resource of ours, and forwarded.
//!
//! Everybody who can reach the gateway can send it, so nothing in it is believed: each request is limited in rate and size, each
//! record in form and time, and all of it is attributed to `browser`, never to a service.

mod bucket;
mod checks;
mod resource;

use chassis::telemetry::{
    Forwarder, NotForwarded,
    otlp::{
        common::InstrumentationScope,
        json::{self, Refused},
        logs::{LogRecord, ResourceLogs, ScopeLogs},
        trace::{ResourceSpans, ScopeSpans, Span},
    },
};
use parking_lot::Mutex;
use tokio::time::Instant;

use self::bucket::Bucket;
use crate::metrics::Metrics;

/// Takes the telemetry of browsers.
pub(crate) struct Browser {
    forwarder: Forwarder,
    bucket: Mutex<Bucket>,
    metrics: Metrics,
}

/// Why a whole request is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// More requests a second than are taken.
    TooOften { rate: u32 },
    /// It is no export of OTLP, or has more than a page sends.
    Invalid(String),
}

/// What became of a request that was taken.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Taken {
    /// The number of records that were refused or dropped.
    pub(crate) rejected: u64,
    /// The first mistake, or a warning if no record was rejected; empty if there is none.
    pub(crate) message: String,
}

impl Browser {
    /// Takes up to `rate` requests a second from all browsers together.
    pub(crate) fn new(forwarder: Forwarder, rate: u32, metrics: Metrics) -> Self {
        let bucket = Mutex::new(Bucket::new(rate, Instant::now()));
        Self { forwarder, bucket, metrics }
    }

    /// Takes an export of spans that arrived at `now`, in nanoseconds since the Unix epoch.
    pub(crate) fn take_spans(&self, body: &[u8], now: u64) -> Result<Taken, Refusal> {
        self.admit()?;
        let json::Read { request, refused } = json::traces(body).map_err(invalid)?;
        let mut all = request.resource_spans;
        let resource = resource::of(only(&mut all)?.and_then(|group| group.resource.take()));
        let spans: Vec<Span> = all
            .into_iter()
            .flat_map(|group| group.scope_spans)
            .flat_map(|group| group.spans)
            .collect();
        checks::count("spans", spans.len())?;
        let mut rejected = Rejected::new("spans", refused, &self.metrics);
        let spans = rejected.filter(spans, |span| checks::span(span, now));
        let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
        let spans = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
        let count = spans.scope_spans[0].spans.len();
        Ok(rejected.and(count, || self.forwarder.spans(spans)))
    }

    /// Takes an export of log records, like [`Self::take_spans`].
    pub(crate) fn take_logs(&self, body: &[u8], now: u64) -> Result<Taken, Refusal> {
        self.admit()?;
        let json::Read { request, refused } = json::logs(body).map_err(invalid)?;
        let mut all = request.resource_logs;
        let resource = resource::of(only(&mut all)?.and_then(|group| group.resource.take()));
        let records: Vec<LogRecord> = all
            .into_iter()
            .flat_map(|group| group.scope_logs)
            .flat_map(|group| group.log_records)
            .collect();
        checks::count("log records", records.len())?;
        let mut rejected = Rejected::new("log_records", refused, &self.metrics);
        let log_records = rejected.filter(records, |record| checks::log_record(record, now));
        let count = log_records.len();
        let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
        let logs = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
        Ok(rejected.and(count, || self.forwarder.logs(logs)))
    }

    fn admit(&self) -> Result<(), Refusal> {
        let mut bucket = self.bucket.lock();
        if bucket.take(Instant::now()) {
            return Ok(());
        }
        Err(Refusal::TooOften { rate: bucket.rate() })
    }
}

fn invalid(cause: String) -> Refusal {
    Refusal::Invalid(format!("the body is no export of OTLP: {cause}"))
}

/// The only resource of a request; `None` if the request is empty.
fn only<T>(all: &mut [T]) -> Result<Option<&mut T>, Refusal> {
    match all {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        others => Err(Refusal::Invalid(format!(
            "the body has {} resources; expected one, since a page is one resource",
            others.len()
        ))),
    }
}

/// The scope of everything that the console sends.
fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "console".to_owned(), ..InstrumentationScope::default() })
}

/// Counts the records of one request that are refused.
struct Rejected<'a> {
    signal: &'static str,
    taken: Taken,
    metrics: &'a Metrics,
}

impl<'a> Rejected<'a> {
    fn new(signal: &'static str, unreadable: Refused, metrics: &'a Metrics) -> Self {
        let mut rejected = Self { signal, taken: Taken::default(), metrics };
        if let Some(why) = unreadable.why {
            rejected.add("unreadable", unreadable.items, why);
        }
        rejected
    }

    fn add(&mut self, reason: &'static str, records: u64, message: String) {
        let refused = &self.metrics.browser_records_refused_total;
        refused.with_label_values(&[self.signal, reason]).inc_by(records);
        self.taken.rejected += records;
        if self.taken.message.is_empty() {
            self.taken.message = message;
        }
    }

    /// The records that pass the check.
    fn filter<T>(
        &mut self,
        records: Vec<T>,
        check: impl Fn(&T) -> Result<(), checks::Mistake>,
    ) -> Vec<T> {
        let mut passed = Vec::with_capacity(records.len());
        for record in records {
            match check(&record) {
                Ok(()) => passed.push(record),
                Err(mistake) => self.add(mistake.reason, 1, mistake.message),
            }
        }
        passed
    }

    /// What became of the request, after its `count` other records are forwarded. The forwarder counts what it drops.
    fn and(self, count: usize, forward: impl FnOnce() -> Result<(), NotForwarded>) -> Taken {
        let mut taken = self.taken;
        if count == 0 {
            return taken;
        }
        match forward() {
            Ok(()) => {}
            // Nothing is wrong with the request, and sending it again would not help: OTLP's warning.
            Err(NotForwarded::NoCollector) if taken.message.is_empty() => {
                taken.message = "the gateway has no collector (OTEL_EXPORTER_OTLP_ENDPOINT is not set): the records are dropped".to_owned();
            }
            Err(NotForwarded::NoCollector) => {}
            Err(NotForwarded::QueueFull) => {
                taken.rejected += count as u64;
                taken.message = format!(
                    "{count} records are dropped: the collector takes them more slowly than they arrive"
                );
            }
        }
        taken
    }
}
