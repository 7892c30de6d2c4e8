//! Handles several events at once, in one transaction.

use std::sync::Arc;

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, Status, TraceContextExt},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    BatchHandler, Event,
    attempt::{Ending, Failure, Trier},
    inbox::{self, Entry},
    metrics::Outcome,
    route::{Route, Scope},
    single::{Attempt, Effect, one, place},
};
use crate::{database::Database, kafka::record::Record};

/// Handles several events in one transaction.
pub(super) struct Batched<H> {
    pub(super) handler: H,
    pub(super) database: Database,
    pub(super) scope: Scope,
}

impl<H: BatchHandler> Batched<H> {
    /// Applies the records that are new. Returns their offsets.
    async fn apply(
        &self,
        records: &[&Record],
        own: Option<&Context>,
        cancel: &CancellationToken,
    ) -> Result<Vec<i64>, Failure> {
        let Self { handler, database, scope } = self;
        let _place = place(database, cancel).await?;
        let mut tx = database.begin(scope.topic).await.map_err(Failure::ours)?;
        let (mut events, mut new) = (Vec::with_capacity(records.len()), Vec::new());
        let mut moved = false;
        for record in records {
            let entry = inbox::enter(&mut tx, record, scope.group).await.map_err(Failure::ours)?;
            moved |= entry == Entry::Moved;
            if entry != Entry::New {
                continue;
            }
            let body = record.decode::<H::Message>().map_err(Failure::undecodable)?;
            new.push(record.offset);
            let context = own.cloned().unwrap_or_else(|| record.context());
            events.push(Event::new(record, body, context));
        }
        if events.is_empty() {
            if moved {
                tx.commit().await.map_err(Failure::ours)?;
            }
            return Ok(new);
        }
        handler.handle(&events, &mut tx).await.map_err(Failure::of)?;
        tx.commit().await.map_err(Failure::ours)?;
        Ok(new)
    }

    /// Handles a batch. If it failed, the error is how often each of its events may be tried alone; 0 if they are left to the
    /// next owner of the partition.
    async fn together(&self, records: &[&Record], cancel: &CancellationToken) -> Result<(), u32> {
        let (scope, started) = (&self.scope, Instant::now());
        let context = scope.batch_span(records);
        let metrics = &scope.metrics;
        let trier = Trier {
            settings: &scope.settings,
            database: Some(&self.database),
            metrics,
            cancel,
            context: &context,
        };
        let attempt = || self.apply(records, None, cancel).with_context(context.clone());
        let result = match trier.run(scope.settings.attempts, attempt).await {
            Ending::Done(new) => {
                let known = records.len() - new.len();
                metrics.duplicates.inc_by(known as u64);
                metrics.count(Outcome::Duplicate, known);
                context.span().set_attribute(KeyValue::new("mesh.duplicates", known as i64));
                let handled = records.iter().filter(|record| new.contains(&record.offset));
                handled.for_each(|record| scope.arrived(&context, record));
                Ok(new.len())
            }
            Ending::Failed(failure, _) => {
                context.span().set_status(Status::error(failure.text.clone()));
                // If retries were exhausted, the batch may still have events that succeed alone: each gets one attempt.
                Err(if failure.is_permanent() { scope.settings.attempts } else { 1 })
            }
            Ending::Abandoned => {
                metrics.count(Outcome::Abandoned, records.len());
                Err(0)
            }
        };
        // The events of a failed batch are measured one by one.
        scope.end(&context, Outcome::Handled, result.unwrap_or(0), started);
        result.map(drop)
    }

    async fn all(&self, records: &[Record], cancel: &CancellationToken) -> Vec<i64> {
        let mut done = Vec::with_capacity(records.len());
        let mut good = Vec::with_capacity(records.len());
        for record in records {
            match record.decode::<H::Message>() {
                Ok(body) if self.scope.knows(&body) => good.push(record),
                // Skips the record, or makes it a dead letter.
                _ if one(self, record, cancel, 1).await => done.push(record.offset),
                _ => {}
            }
        }
        match good.as_slice() {
            [] => return done,
            // A single event is handled in its own trace, as without batches.
            [single] => {
                if one(self, single, cancel, self.scope.settings.attempts).await {
                    done.push(single.offset);
                }
                return done;
            }
            _ => {}
        }
        match self.together(&good, cancel).await {
            Ok(()) => done.extend(good.iter().map(|record| record.offset)),
            // They are left to the next owner of the partition.
            Err(0) => {}
            Err(most) => {
                for record in good {
                    if !one(self, record, cancel, most).await {
                        break;
                    }
                    done.push(record.offset);
                }
            }
        }
        done
    }
}

/// Handles one event of a batch that failed.
impl<H: BatchHandler> Attempt for Batched<H> {
    type Message = H::Message;

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn database(&self) -> Option<&Database> {
        Some(&self.database)
    }

    async fn attempt(
        &self,
        record: &Record,
        context: Context,
        cancel: &CancellationToken,
    ) -> Result<Effect, Failure> {
        let new = self.apply(&[record], Some(&context), cancel).await?;
        Ok(if new.is_empty() { Effect::Known } else { Effect::Applied })
    }
}

impl<H: BatchHandler> Route for Batched<H> {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn batches(&self) -> bool {
        true
    }

    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>> {
        Box::pin(async move { self.all(&records, &cancel).await })
    }
}
