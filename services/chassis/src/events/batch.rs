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
    inbox::{self, Entry},
    metrics::Outcome,
    retry::{Failure, RetryLoop, RetryOutcome},
    single::{Attempt, Delivery, Effect, handle_one, transaction_slot},
    subscription::{Subscription, SubscriptionContext},
};
use crate::{database::Database, kafka::record::Record};

/// Handles several events in one transaction.
pub(super) struct Batch<H> {
    pub(super) handler: H,
    pub(super) database: Database,
    pub(super) context: SubscriptionContext,
}

impl<H: BatchHandler> Batch<H> {
    /// Applies the records that are new. Returns their offsets.
    async fn apply(
        &self,
        records: &[&Record],
        own: Option<&Context>,
        cancel: &CancellationToken,
    ) -> Result<Vec<i64>, Failure> {
        let Self { handler, database, context: subscription } = self;
        let _slot = transaction_slot(database, cancel).await?;
        let mut tx = database.begin(subscription.topic).await.map_err(Failure::of_database)?;
        let (mut events, mut new) = (Vec::with_capacity(records.len()), Vec::new());
        let mut moved = false;
        for record in records {
            let entry = inbox::enter(&mut tx, record, subscription.group)
                .await
                .map_err(Failure::of_database)?;
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
                tx.commit().await.map_err(Failure::of_database)?;
            }
            return Ok(new);
        }
        handler.handle(&events, &mut tx).await.map_err(Failure::of_handler)?;
        tx.commit().await.map_err(Failure::of_database)?;
        Ok(new)
    }

    /// Handles a batch. If it failed, the error is how often each of its events may be tried alone; 0 if they are left to the
    /// next owner of the partition.
    async fn handle_batch(
        &self,
        records: &[&Record],
        cancel: &CancellationToken,
    ) -> Result<(), u32> {
        let (subscription, started) = (&self.context, Instant::now());
        let context = subscription.batch_span(records);
        let database = Some(&self.database);
        let retries = RetryLoop { subscription, database, cancel, context: &context };
        let attempt = || self.apply(records, None, cancel).with_context(context.clone());
        let result = match retries.run(subscription.settings.attempts, attempt).await {
            RetryOutcome::Done(new) => {
                let known = records.len() - new.len();
                subscription.metrics.duplicates.inc_by(known as u64);
                subscription.metrics.count(Outcome::Duplicate, known);
                context.span().set_attribute(KeyValue::new("mesh.duplicates", known as i64));
                let handled = records.iter().filter(|record| new.contains(&record.offset));
                handled.for_each(|record| subscription.observe_delay(&context, record));
                Ok(new.len())
            }
            RetryOutcome::Failed(failure, _) => {
                context.span().set_status(Status::error(failure.text.clone()));
                // If retries were exhausted, the batch may still have events that succeed alone: each gets one attempt.
                Err(if failure.is_permanent() { subscription.settings.attempts } else { 1 })
            }
            RetryOutcome::Abandoned => {
                subscription.metrics.count(Outcome::Abandoned, records.len());
                Err(0)
            }
        };
        // The events of a failed batch are measured one by one.
        subscription.end(&context, Outcome::Handled, result.unwrap_or(0), started);
        result.map(drop)
    }

    async fn handle_all(&self, records: &[Record], cancel: &CancellationToken) -> Vec<i64> {
        let mut done = Vec::with_capacity(records.len());
        let mut good = Vec::with_capacity(records.len());
        for record in records {
            match record.decode::<H::Message>() {
                Ok(body) if self.context.handles(&body) => good.push(record),
                // Skips the record, or makes it a dead letter.
                _ if handle_one(&self.context, self, record, cancel, 1).await => {
                    done.push(record.offset)
                }
                _ => {}
            }
        }
        match good.as_slice() {
            [] => return done,
            // A single event is handled in its own trace, as without batches.
            [single] => {
                if handle_one(&self.context, self, single, cancel, self.context.settings.attempts)
                    .await
                {
                    done.push(single.offset);
                }
                return done;
            }
            _ => {}
        }
        match self.handle_batch(&good, cancel).await {
            Ok(()) => done.extend(good.iter().map(|record| record.offset)),
            // They are left to the next owner of the partition.
            Err(0) => {}
            Err(attempts) => {
                for record in good {
                    if !handle_one(&self.context, self, record, cancel, attempts).await {
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
impl<H: BatchHandler> Attempt for Batch<H> {
    type Message = H::Message;

    fn database(&self) -> Option<&Database> {
        Some(&self.database)
    }

    async fn run(&self, delivery: &Delivery<'_>) -> Result<Effect, Failure> {
        let Delivery { record, context, cancel, .. } = *delivery;
        let new = self.apply(&[record], Some(context), cancel).await?;
        Ok(if new.is_empty() { Effect::Known } else { Effect::Applied })
    }
}

impl<H: BatchHandler> Subscription for Batch<H> {
    fn context(&self) -> &SubscriptionContext {
        &self.context
    }

    fn batches(&self) -> bool {
        true
    }

    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>> {
        Box::pin(async move { self.handle_all(&records, &cancel).await })
    }
}
