//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>. Metrics are not taken here (`UNIMPLEMENTED`): the
//! lens asks for them.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tonic::{Request, Response, Status, codec::CompressionEncoding, service::Routes};

use super::otlp::{LARGEST, logs_of, spans_of};
use crate::intake::Intake;

/// The services that exporters call.
pub(crate) fn routes(intake: &Arc<Intake>) -> Routes {
    let traces = TraceServiceServer::new(Inlet(Arc::clone(intake)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    let logs = LogsServiceServer::new(Inlet(Arc::clone(intake)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(LARGEST);
    Routes::new(traces).add_service(logs)
}

struct Inlet(Arc<Intake>);

#[tonic::async_trait]
impl TraceService for Inlet {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(take_spans(&self.0, request.into_inner())))
    }
}

#[tonic::async_trait]
impl LogsService for Inlet {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.take_logs(&logs_of(request.into_inner()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// Takes what can be taken, and says what could not: an exporter must not send that again.
pub(super) fn take_spans(
    intake: &Intake,
    request: ExportTraceServiceRequest,
) -> ExportTraceServiceResponse {
    let (batches, invalid) = spans_of(request);
    intake.refuse_spans(invalid);
    let left_out = intake.take_spans(&batches);
    let partial_success = (invalid + left_out > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: (invalid + left_out) as i64,
        error_message: format!(
            "{invalid} without a valid id, {left_out} of a trace that is too large already"
        ),
    });
    ExportTraceServiceResponse { partial_success }
}
