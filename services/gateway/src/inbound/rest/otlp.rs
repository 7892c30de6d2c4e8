//! `/api/otlp/v1/traces`, `/api/otlp/v1/logs`: OTLP over HTTP, in JSON, <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{extract::State, http::StatusCode};
use chassis::http::{Json, Problem};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{AppState, problems::refusals};
use crate::{
    browser::{Browser, Refusal, Taken},
    metrics::Metrics,
};

/// What became of an export of spans: empty if all were taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedSpans {
    /// What was not taken, or a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    partial_success: Option<RejectedSpans>,
}

/// What became of an export of log records: empty if all were taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedLogRecords {
    /// What was not taken, or a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    partial_success: Option<RejectedLogRecords>,
}

/// Spans that were not taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedSpans {
    /// Their number: OTLP's JSON writes it as a text.
    #[schema(examples("2"))]
    rejected_spans: String,
    /// The first mistake, or a warning if the number is 0.
    error_message: String,
}

/// Log records that were not taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedLogRecords {
    /// Their number: OTLP's JSON writes it as a text.
    #[schema(examples("2"))]
    rejected_log_records: String,
    /// The first mistake, or a warning if the number is 0.
    error_message: String,
}

refusals!(ExportRefusals: MALFORMED, TOO_LARGE, NOT_JSON, BAD_EXPORT, TOO_OFTEN);

/// Send spans of the browser
///
/// OTLP's JSON, as the console sends it. The spans are attributed to the service `browser`, whatever their resource says, and
/// forwarded to the collector. A span that breaks a limit is left out, and the answer says which limit.
#[utoipa::path(
    post, path = "/api/otlp/v1/traces", tag = "telemetry", operation_id = "exportSpans",
    request_body(content = Value, description = "An `ExportTraceServiceRequest` with one resource, 64 KiB at most."),
    responses((status = 200, description = "What became of the spans.", body = ExportedSpans), ExportRefusals),
)]
pub(super) async fn traces(
    State(state): State<Arc<AppState>>,
    body: Result<Json<Box<RawValue>>, Problem>,
) -> Result<Json<ExportedSpans>, Problem> {
    let taken = take(&state, body, Browser::take_spans).map_err(|problem| *problem)?;
    let partial_success = taken.map(|Taken { rejected, message }| RejectedSpans {
        rejected_spans: rejected.to_string(),
        error_message: message,
    });
    Ok(Json(ExportedSpans { partial_success }))
}

/// Send events of the browser
///
/// OTLP's JSON, as the console sends it: web vitals, errors, violations of the content security policy. As with spans, the
/// service is `browser`, and the answer says what was left out.
#[utoipa::path(
    post, path = "/api/otlp/v1/logs", tag = "telemetry", operation_id = "exportLogs",
    request_body(content = Value, description = "An `ExportLogsServiceRequest` with one resource, 64 KiB at most."),
    responses((status = 200, description = "What became of the log records.", body = ExportedLogRecords), ExportRefusals),
)]
pub(super) async fn logs(
    State(state): State<Arc<AppState>>,
    body: Result<Json<Box<RawValue>>, Problem>,
) -> Result<Json<ExportedLogRecords>, Problem> {
    let taken = take(&state, body, Browser::take_logs).map_err(|problem| *problem)?;
    let partial_success = taken.map(|Taken { rejected, message }| RejectedLogRecords {
        rejected_log_records: rejected.to_string(),
        error_message: message,
    });
    Ok(Json(ExportedLogRecords { partial_success }))
}

/// What is to be reported of a request that was taken.
fn take(
    state: &AppState,
    body: Result<Json<Box<RawValue>>, Problem>,
    take: fn(&Browser, &[u8], u64) -> Result<Taken, Refusal>,
) -> Result<Option<Taken>, Box<Problem>> {
    // Nanoseconds since the Unix epoch fit until 2554.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let taken = match body {
        Ok(Json(body)) => take(&state.browser, body.get().as_bytes(), now).map_err(problem),
        Err(problem) => Err(smaller(problem)),
    };
    match taken {
        Ok(taken) => Ok((taken != Taken::default()).then_some(taken)),
        Err(problem) => {
            count(&state.metrics, &problem);
            Err(Box::new(problem))
        }
    }
}

/// Says what to do about a body that is too large.
fn smaller(problem: Problem) -> Problem {
    if problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() {
        return problem.field("body", "send fewer records in one request");
    }
    problem
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooOften { rate } => {
            let detail = format!(
                "more than {rate} requests a second; send larger batches, or raise `browser_requests`"
            );
            let mut problem =
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail);
            problem.retry_after = Some(1);
            problem
        }
        Refusal::Invalid(detail) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-argument", detail)
        }
    }
}

fn count(metrics: &Metrics, problem: &Problem) {
    let reason = match problem.status {
        413 => "too_large",
        415 => "not_json",
        429 => "too_often",
        _ => "invalid",
    };
    metrics.browser_requests_refused_total.with_label_values(&[reason]).inc();
}
