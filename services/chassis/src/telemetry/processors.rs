//! The processors at the end of OpenTelemetry's pipelines: they put spans and log records into the batches' queues.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_otlp::{LogExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter as _, LogProcessor, SdkLogRecord},
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
};

use super::{
    batch::{self, Account, Accounts, Batches, Item, Queue},
    exporters,
    settings::Settings,
};

impl Item for SpanData {}

impl Item for (SdkLogRecord, InstrumentationScope) {}

/// Puts ended spans into the queue.
#[derive(Debug)]
pub(super) struct Spans(Queue<SpanData>);

/// Without an exporter every span is counted as dropped, since it is.
pub(super) fn spans(
    exporter: Option<SpanExporter>,
    resource: &Resource,
    settings: &Settings,
    accounts: &Accounts,
) -> (Spans, Batches) {
    let exporter = exporter.map(|mut exporter| {
        exporter.set_resource(resource);
        Arc::new(exporter)
    });
    let account = Account::of(&accounts.spans_total);
    let limit = exporters::timeout(settings, &settings.traces);
    let (queue, batches) = batch::start(settings.queue, limit, account, move |spans| {
        let exporter = exporter.clone();
        async move {
            let Some(exporter) = exporter else { return Err("no endpoint is set".into()) };
            exporter.export(spans).await.map_err(|error| error.to_string())
        }
    });
    (Spans(queue), batches)
}

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.0.start(1);
    }

    fn on_end(&self, span: SpanData) {
        self.0.put(span);
    }

    // `Telemetry::flush` flushes instead: it can wait without blocking a thread.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Puts log records into the queue.
#[derive(Debug)]
pub(super) struct Logs(Queue<(SdkLogRecord, InstrumentationScope)>);

pub(super) fn logs(
    exporter: Option<LogExporter>,
    resource: &Resource,
    settings: &Settings,
    accounts: &Accounts,
) -> (Logs, Batches) {
    let exporter = exporter.map(|mut exporter| {
        exporter.set_resource(resource);
        Arc::new(exporter)
    });
    let account = Account::of(&accounts.log_records_total);
    let limit = exporters::timeout(settings, &settings.logs);
    let (queue, batches) = batch::start(settings.queue, limit, account, move |records: Vec<_>| {
        let exporter = exporter.clone();
        async move {
            let Some(exporter) = exporter else { return Err("no endpoint is set".into()) };
            let pairs: Vec<_> = records.iter().map(|(record, scope)| (record, scope)).collect();
            exporter.export(LogBatch::new(&pairs)).await.map_err(|error| error.to_string())
        }
    });
    (Logs(queue), batches)
}

impl LogProcessor for Logs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.0.start(1);
        self.0.put((record.clone(), scope.clone()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
