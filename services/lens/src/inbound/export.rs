//! Everything that lens has, for `mesh export`: spans, log lines and metrics as OTLP's JSON, one request a line, as the file
//! exporter of the OpenTelemetry Collector writes it, and the metrics once more as lens keeps them.
//!
//! Answers are written as the client reads them; lens is locked for one part at a time.

mod metrics;
mod otlp;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;

pub(super) use self::otlp::write_trace;
use crate::{
    keep,
    store::{LogQuery, Store},
};

/// The traces of one part of an answer: some dozens of milliseconds of work, in which lens does nothing else.
const TRACES: usize = 50;

/// The log lines of one request.
const LINES: usize = 500;

struct Export {
    store: Arc<Store>,
    series: Arc<timeseries::Store>,
}

type Shared = State<Arc<Export>>;

/// The paths below `/lens/v1/export`.
pub(crate) fn routes(store: &Arc<Store>, series: &Arc<timeseries::Store>) -> Router {
    let export = Export { store: Arc::clone(store), series: Arc::clone(series) };
    Router::new()
        .route("/lens/v1/export/traces", get(traces))
        .route("/lens/v1/export/logs", get(logs))
        .route("/lens/v1/export/metrics", get(metrics_as_otlp))
        .route("/lens/v1/export/snapshot", get(snapshot))
        .with_state(Arc::new(export))
}

async fn traces(State(export): Shared) -> Response {
    let mut next = 0;
    lines_of(move |out| {
        let traces = export.store.traces_from(&mut next, TRACES);
        let is_end = traces.is_empty();
        traces.into_iter().for_each(|trace| write_trace(trace, out));
        !is_end
    })
}

async fn logs(State(export): Shared) -> Response {
    let mut from = 0;
    lines_of(move |out| {
        let wanted = LogQuery { from: Some(from), limit: LINES, ..LogQuery::default() };
        let found = export.store.lines(&wanted);
        if found.lines.is_empty() {
            return false;
        }
        from = found.next;
        otlp::write_lines(found.lines, out);
        true
    })
}

async fn metrics_as_otlp(State(export): Shared) -> Response {
    let metadata = export.series.metadata();
    let mut names = metrics::names(&export.series).into_iter();
    lines_of(move |out| {
        let Some(name) = names.next() else { return false };
        metrics::write(&export.series, &name, &metadata, out);
        true
    })
}

async fn snapshot(State(export): Shared) -> Response {
    let bytes = keep::metrics_file(&export.series);
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// Streams lines: `write` appends some, and returns `false` at the end.
fn lines_of(mut write: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static) -> Response {
    let parts = std::iter::from_fn(move || {
        let mut out = Vec::new();
        write(&mut out).then(|| Ok::<_, Infallible>(Bytes::from(out)))
    });
    let body = Body::from_stream(stream::iter(parts));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
