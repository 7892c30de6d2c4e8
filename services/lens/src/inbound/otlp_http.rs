//! OTLP over HTTP, protobuf and JSON: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

#[cfg(test)]
mod tests;

use std::{io::Read as _, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use chassis::telemetry::otlp::json::{self, Read, Refused};
use flate2::read::MultiGzDecoder;
use prost::Message;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    otlp::LARGEST,
    otlp_grpc::{take_logs, take_spans},
};
use crate::intake::Intake;

/// The paths that exporters post to.
pub(crate) fn routes(intake: &Arc<Intake>) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
        .with_state(Arc::clone(intake))
}

/// The largest body before decompression.
pub(crate) const BODY_LIMIT: usize = LARGEST;

async fn traces(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (encoding, read) = decode(&headers, body, json::traces)?;
    let answer = take_spans(&intake, read.request, read.refused);
    let partial = answer.partial_success.as_ref();
    let json = partial_success(
        "rejectedSpans",
        partial.map(|partial| (partial.rejected_spans, &partial.error_message)),
    );
    Ok(encoding.answer(StatusCode::OK, &answer, &json))
}

fn partial_success(rejected: &str, partial: Option<(i64, &String)>) -> Value {
    match partial {
        None => json!({}),
        // Protobuf's JSON writes 64-bit numbers as strings.
        Some((count, message)) => {
            json!({ "partialSuccess": { rejected: count.to_string(), "errorMessage": message } })
        }
    }
}

async fn logs(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (encoding, read) = decode(&headers, body, json::logs)?;
    let answer = take_logs(&intake, read.request, read.refused);
    let partial = answer.partial_success.as_ref();
    let json = partial_success(
        "rejectedLogRecords",
        partial.map(|partial| (partial.rejected_log_records, &partial.error_message)),
    );
    Ok(encoding.answer(StatusCode::OK, &answer, &json))
}

async fn metrics(headers: HeaderMap) -> Refusal {
    let message = "metrics are not taken here: the lens asks for them".to_owned();
    Refusal {
        encoding: Encoding::of(&headers).unwrap_or(Encoding::Json),
        status: StatusCode::NOT_IMPLEMENTED,
        message,
    }
}

type Body = Result<Bytes, BytesRejection>;

/// The encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        // Media types are case-insensitive and may have parameters: <https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1>.
        match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn answer(
        self,
        status: StatusCode,
        protobuf: &impl Message,
        json: &impl Serialize,
    ) -> Response {
        match self {
            Self::Protobuf => (
                status,
                [(header::CONTENT_TYPE, "application/x-protobuf")],
                protobuf.encode_to_vec(),
            )
                .into_response(),
            Self::Json => (status, axum::Json(json)).into_response(),
        }
    }
}

fn decode<M: Message + Default>(
    headers: &HeaderMap,
    body: Body,
    of_json: fn(&[u8]) -> Result<Read<M>, String>,
) -> Result<(Encoding, Read<M>), Refusal> {
    let refuse = |encoding| move |status, message| Refusal { encoding, status, message };
    let Some(encoding) = Encoding::of(headers) else {
        let message = "expected content-type application/x-protobuf or application/json".to_owned();
        return Err(refuse(Encoding::Json)(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let refuse = refuse(encoding);
    let body = body.map_err(|rejection| refuse(rejection.status(), rejection.body_text()))?;
    let body = match coding(headers).as_str() {
        "" | "identity" => body,
        "gzip" | "x-gzip" => {
            unzip(&body).map_err(|message| refuse(StatusCode::BAD_REQUEST, message))?
        }
        _ => {
            let message = "expected content-encoding gzip, or none".to_owned();
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let message = match encoding {
        Encoding::Protobuf => M::decode(body)
            .map(|request| Read { request, refused: Refused::default() })
            .map_err(|error| error.to_string()),
        Encoding::Json => of_json(&body),
    };
    let unreadable = |cause| {
        refuse(StatusCode::BAD_REQUEST, format!("the body is not what is expected here: {cause}"))
    };
    Ok((encoding, message.map_err(unreadable)?))
}

/// The content encoding, in lower case: it is case-insensitive.
fn coding(headers: &HeaderMap) -> String {
    let coding = headers.get(header::CONTENT_ENCODING).map_or(&b""[..], |coding| coding.as_bytes());
    String::from_utf8_lossy(coding).trim().to_ascii_lowercase()
}

fn unzip(body: &[u8]) -> Result<Bytes, String> {
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(body).take(LARGEST as u64 + 1).read_to_end(&mut text);
    read.map_err(|error| format!("the body is no gzip: {error}"))?;
    if text.len() > LARGEST {
        return Err(format!("the body is larger than {LARGEST} bytes when decompressed"));
    }
    Ok(text.into())
}

/// An error as the protocol requires it: a `google.rpc.Status`, in the encoding of the request.
struct Refusal {
    encoding: Encoding,
    status: StatusCode,
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Values of `google.rpc.Code`.
const INVALID_ARGUMENT: i32 = 3;
const UNIMPLEMENTED: i32 = 12;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { encoding, status, message } = self;
        let code =
            if status == StatusCode::NOT_IMPLEMENTED { UNIMPLEMENTED } else { INVALID_ARGUMENT };
        let json = json!({ "code": code, "message": message });
        encoding.answer(status, &Status { code, message }, &json)
    }
}
