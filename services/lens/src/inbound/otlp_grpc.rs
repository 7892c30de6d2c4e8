//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>. Metrics are not accepted here (`UNIMPLEMENTED`): lens
//! scrapes them.

use std::sync::Arc;

use chassis::{grpc::Services, telemetry::otlp::json::Refused, text::printable};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tonic::{Request, Response, Status, codec::CompressionEncoding};

use super::otlp::{LARGEST, logs_of, spans_of};
use crate::intake::Intake;

/// The services that exporters call.
pub(crate) fn routes(intake: &Arc<Intake>) -> Services {
    let traces = TraceServiceServer::new(OtlpService(Arc::clone(intake)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    let logs = LogsServiceServer::new(OtlpService(Arc::clone(intake)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    // The crate with OTLP has no descriptors: reflection lists the services alone.
    Services::new(&[], traces).with(logs).message_limit(LARGEST)
}

struct OtlpService(Arc<Intake>);

#[tonic::async_trait]
impl TraceService for OtlpService {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(take_spans(&self.0, request.into_inner(), Refused::default())))
    }
}

#[tonic::async_trait]
impl LogsService for OtlpService {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(take_logs(&self.0, request.into_inner(), Refused::default())))
    }
}

/// Takes the valid spans; the answer counts the rejected ones, which an exporter must not send again.
pub(super) fn take_spans(
    intake: &Intake,
    request: ExportTraceServiceRequest,
    unread: Refused,
) -> ExportTraceServiceResponse {
    let (batches, invalid) = spans_of(request);
    intake.refuse_spans(invalid + unread.items);
    let left_out = intake.take_spans(&batches);
    let mut reasons = Vec::new();
    if invalid > 0 {
        reasons.push(format!("{invalid} without a valid id"));
    }
    if left_out > 0 {
        reasons.push(format!("{left_out} of a trace that is too large already"));
    }
    reasons.extend(reason(unread.items, unread.why));
    let partial_success = (!reasons.is_empty()).then(|| ExportTracePartialSuccess {
        rejected_spans: (invalid + left_out + unread.items) as i64,
        error_message: reasons.join(", "),
    });
    ExportTraceServiceResponse { partial_success }
}

/// Takes log lines, like [`take_spans`].
pub(super) fn take_logs(
    intake: &Intake,
    request: ExportLogsServiceRequest,
    unread: Refused,
) -> ExportLogsServiceResponse {
    intake.take_logs(&logs_of(request));
    let partial = |error_message| ExportLogsPartialSuccess {
        rejected_log_records: unread.items as i64,
        error_message,
    };
    ExportLogsServiceResponse { partial_success: reason(unread.items, unread.why).map(partial) }
}

/// The maximum length of an error text, which may repeat what was sent: it should fit on a line.
const LONGEST_REASON: usize = 300;

fn reason(items: u64, why: Option<String>) -> Option<String> {
    why.map(|why| format!("{items} that cannot be read ({})", printable(&why, LONGEST_REASON)))
}
