//! OTLP over HTTP, protobuf and JSON: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

#[cfg(test)]
mod stories;

use std::{io::Read, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    otlp::{LARGEST, logs_of},
    otlp_grpc::take_spans,
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

/// The largest body as it comes.
pub(crate) const BODY_LIMIT: usize = LARGEST;

async fn traces(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (encoding, request) = decode::<ExportTraceServiceRequest>(&headers, body)?;
    let answer = take_spans(&intake, request);
    let json = match &answer.partial_success {
        None => json!({}),
        // 64-bit numbers are strings in protobuf's JSON.
        Some(partial) => json!({"partialSuccess": {
            "rejectedSpans": partial.rejected_spans.to_string(),
            "errorMessage": partial.error_message,
        }}),
    };
    Ok(encoding.answer(StatusCode::OK, &answer, &json))
}

async fn logs(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (encoding, request) = decode::<ExportLogsServiceRequest>(&headers, body)?;
    intake.take_logs(&logs_of(request));
    Ok(encoding.answer(StatusCode::OK, &ExportLogsServiceResponse::default(), &json!({})))
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

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match kind.split(';').next()?.trim() {
            "application/x-protobuf" => Some(Self::Protobuf),
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

fn decode<M: Message + Default + DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<(Encoding, M), Refusal> {
    let refuse = |encoding| move |status, message| Refusal { encoding, status, message };
    let Some(encoding) = Encoding::of(headers) else {
        let message = "expected content-type application/x-protobuf or application/json".to_owned();
        return Err(refuse(Encoding::Json)(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let refuse = refuse(encoding);
    let body = body.map_err(|rejection| refuse(rejection.status(), rejection.body_text()))?;
    let body = match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
        None | Some(b"" | b"identity") => body,
        Some(b"gzip") => {
            unzip(&body).map_err(|message| refuse(StatusCode::BAD_REQUEST, message))?
        }
        Some(_) => {
            let message = "expected content-encoding gzip, or none".to_owned();
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let message = match encoding {
        Encoding::Protobuf => M::decode(body).map_err(|error| error.to_string()),
        Encoding::Json => serde_json::from_slice(&body).map_err(|error| error.to_string()),
    };
    let unreadable = |cause| {
        refuse(StatusCode::BAD_REQUEST, format!("the body is not what is expected here: {cause}"))
    };
    Ok((encoding, message.map_err(unreadable)?))
}

fn unzip(body: &[u8]) -> Result<Bytes, String> {
    let mut text = Vec::new();
    let read = GzDecoder::new(body).take(LARGEST as u64 + 1).read_to_end(&mut text);
    read.map_err(|error| format!("the body is no gzip: {error}"))?;
    if text.len() > LARGEST {
        return Err(format!("the body is larger than {LARGEST} bytes when decompressed"));
    }
    Ok(text.into())
}

/// What was wrong, in the encoding that was asked in, as the protocol wants it: a `google.rpc.Status`.
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

/// `google.rpc.Code`.
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
