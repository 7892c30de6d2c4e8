//! Handles events one by one: each with its span, its retries, and a dead letter if it cannot be handled.
//!
//! ```text
//!  record ─▶ PerEvent ─▶ RetryLoop ─┬▶ Transactional  ─▶ Handler
//!                                   ├▶ WithSideEffect ─▶ SideEffectHandler
//!                                   └▶ AtLeastOnce    ─▶ Observer
//! ```

use std::sync::Arc;

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, TraceContextExt},
};
use tokio::{sync::SemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Event, Handler, Observer, SideEffectHandler,
    dead_letter::Reason,
    inbox::{self, Entry},
    metrics::Outcome,
    retry::{Failure, RetryLoop, RetryOutcome},
    subscription::{Subscription, SubscriptionContext},
};
use crate::{
    contract::Envelope,
    database::{Database, Tx},
    kafka::record::Record,
};

/// The result of an attempt that succeeded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The event had its effect now.
    Applied,
    /// The event had its effect earlier: the inbox has its id.
    Known,
}

/// One record that is delivered to a handler.
pub(super) struct Delivery<'a> {
    pub(super) subscription: &'a SubscriptionContext,
    pub(super) record: &'a Record,
    /// It has the event's span.
    pub(super) context: &'a Context,
    /// Fires when the partition moves or the process stops.
    pub(super) cancel: &'a CancellationToken,
}

/// Makes one attempt at one event.
pub(super) trait Attempt: Send + Sync + 'static {
    type Message: Envelope;

    /// Returns the database that an attempt needs; `None` if it needs none.
    fn database(&self) -> Option<&Database>;

    /// Tries to handle an event.
    fn run(&self, delivery: &Delivery<'_>) -> impl Future<Output = Result<Effect, Failure>> + Send;
}

/// Handles each event in a transaction.
pub(super) struct Transactional<H> {
    pub(super) handler: H,
    pub(super) database: Database,
}

impl<H: Handler> Attempt for Transactional<H> {
    type Message = H::Message;

    fn database(&self) -> Option<&Database> {
        Some(&self.database)
    }

    async fn run(&self, delivery: &Delivery<'_>) -> Result<Effect, Failure> {
        let Self { handler, database } = self;
        let event = delivery.decode()?;
        let _slot = transaction_slot(database, delivery.cancel).await?;
        let Some(mut tx) = delivery.begin(database).await? else {
            return Ok(Effect::Known);
        };
        handler.handle(event, &mut tx).await.map_err(Failure::of_handler)?;
        tx.commit().await.map_err(Failure::of_database)?;
        Ok(Effect::Applied)
    }
}

/// Handles each event in a transaction, after a call to a third party.
pub(super) struct WithSideEffect<H> {
    pub(super) handler: H,
    pub(super) database: Database,
}

impl<H: SideEffectHandler> Attempt for WithSideEffect<H> {
    type Message = H::Message;

    fn database(&self) -> Option<&Database> {
        Some(&self.database)
    }

    async fn run(&self, delivery: &Delivery<'_>) -> Result<Effect, Failure> {
        let Self { handler, database } = self;
        let event = delivery.decode()?;
        let known = inbox::knows(database, delivery.record, delivery.subscription.group).await;
        if known.map_err(Failure::of_database)? {
            return Ok(Effect::Known);
        }
        let answer = handler.call(&event).await.map_err(Failure::of_handler)?;
        // The third party was called for this event already, so a hand-over does not end the wait.
        let _slot = database.consumer_slot().await;
        let Some(mut tx) = delivery.begin(database).await? else {
            return Ok(Effect::Known);
        };
        handler.handle(event, answer, &mut tx).await.map_err(Failure::of_handler)?;
        tx.commit().await.map_err(Failure::of_database)?;
        Ok(Effect::Applied)
    }
}

/// Shows each event to an observer, without a transaction.
pub(super) struct AtLeastOnce<H> {
    pub(super) observer: H,
}

impl<H: Observer> Attempt for AtLeastOnce<H> {
    type Message = H::Message;

    fn database(&self) -> Option<&Database> {
        None
    }

    async fn run(&self, delivery: &Delivery<'_>) -> Result<Effect, Failure> {
        self.observer.observe(delivery.decode()?).await.map_err(Failure::of_handler)?;
        Ok(Effect::Applied)
    }
}

impl Delivery<'_> {
    fn decode<M: Envelope>(&self) -> Result<Event<M>, Failure> {
        let body = self.record.decode::<M>().map_err(Failure::undecodable)?;
        Ok(Event::new(self.record, body, self.context.clone()))
    }

    /// Begins the transaction of the event, with its id in the inbox. Returns `None` if the id was there already.
    async fn begin(&self, database: &Database) -> Result<Option<Tx>, Failure> {
        let Self { subscription, record, .. } = self;
        let mut tx = database.begin(subscription.topic).await.map_err(Failure::of_database)?;
        let entry = inbox::enter(&mut tx, record, subscription.group).await;
        match entry.map_err(Failure::of_database)? {
            Entry::New => return Ok(Some(tx)),
            Entry::Known => {}
            Entry::Moved => tx.commit().await.map_err(Failure::of_database)?,
        }
        Ok(None)
    }

    /// Tries the event until it is handled. If it fails for good, makes it a dead letter.
    async fn retry<A: Attempt>(&self, attempt: &A, max_attempts: u32) -> Outcome {
        let Self { subscription, record, context, cancel } = *self;
        let retries = RetryLoop { subscription, database: attempt.database(), cancel, context };
        let once = || attempt.run(self).with_context(context.clone());
        match retries.run(max_attempts, once).await {
            RetryOutcome::Done(Effect::Applied) => {
                subscription.observe_delay(context, record);
                Outcome::Handled
            }
            RetryOutcome::Done(Effect::Known) => {
                subscription.metrics.duplicates.inc();
                context.span().set_attribute(KeyValue::new("mesh.duplicate", true));
                Outcome::Duplicate
            }
            RetryOutcome::Failed(failure, attempts) => {
                let cause = (failure.reason(), &*failure.text, attempts);
                subscription.dead_letter(record, context, cancel, cause).await
            }
            RetryOutcome::Abandoned => Outcome::Abandoned,
        }
    }
}

/// Waits until another transaction of the consumer may begin. An event that still waits has not begun: when the partition moves,
/// it is left to the next owner.
pub(super) async fn transaction_slot<'a>(
    database: &'a Database,
    cancel: &CancellationToken,
) -> Result<SemaphorePermit<'a>, Failure> {
    cancel.run_until_cancelled(database.consumer_slot()).await.ok_or_else(Failure::abandoned)
}

/// Handles each event on its own.
pub(super) struct PerEvent<A> {
    pub(super) context: SubscriptionContext,
    pub(super) attempt: A,
}

impl<A: Attempt> Subscription for PerEvent<A> {
    fn context(&self) -> &SubscriptionContext {
        &self.context
    }

    fn batches(&self) -> bool {
        false
    }

    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>> {
        Box::pin(async move {
            let Self { context, attempt } = &*self;
            let mut done = Vec::with_capacity(records.len());
            for record in &records {
                if handle_one(context, attempt, record, &cancel, context.settings.attempts).await {
                    done.push(record.offset);
                }
            }
            done
        })
    }
}

/// Handles one event, with at most `max_attempts`. Returns whether the event is finished: handled, skipped, or a dead letter.
pub(super) async fn handle_one<A: Attempt>(
    subscription: &SubscriptionContext,
    attempt: &A,
    record: &Record,
    cancel: &CancellationToken,
    max_attempts: u32,
) -> bool {
    let started = Instant::now();
    let body = record.decode::<A::Message>();
    if let Ok(body) = &body
        && !subscription.handles(body)
    {
        subscription.skipped();
        return true;
    }
    let context = &subscription.span(record);
    let outcome = match body {
        Ok(_) => {
            Delivery { subscription, record, context, cancel }.retry(attempt, max_attempts).await
        }
        Err(error) => {
            let cause = (Reason::Undecodable, &*error, 0);
            subscription.dead_letter(record, context, cancel, cause).await
        }
    };
    subscription.end(context, outcome, 1, started);
    outcome.is_final()
}
