//! Handles events one by one: each in a transaction of its own, or with an observer and no transaction.

use std::sync::Arc;

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, TraceContextExt},
};
use tokio::{sync::SemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Caller, Event, Observer,
    attempt::{Ending, Failure, Trier},
    dead_letter::Reason,
    inbox::{self, Entry},
    metrics::Outcome,
    route::{Route, Scope},
};
use crate::{contract::Envelope, database::Database, kafka::record::Record};

/// The result of an attempt that succeeded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Applied,
    Known,
}

/// How to handle one event.
pub(super) trait Attempt: Send + Sync + 'static {
    type Message: Envelope;
    fn scope(&self) -> &Scope;
    fn database(&self) -> Option<&Database>;
    fn attempt(
        &self,
        record: &Record,
        context: Context,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Effect, Failure>> + Send;
}

/// Handles each event in a transaction.
pub(super) struct Applied<H> {
    pub(super) handler: H,
    pub(super) database: Database,
    pub(super) scope: Scope,
}

impl<H: Caller> Attempt for Applied<H> {
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
        let Self { handler, database, scope } = self;
        let event = Event::new(
            record,
            record.decode::<H::Message>().map_err(Failure::undecodable)?,
            context,
        );
        if H::CALLS && inbox::knows(database, record, scope.group).await.map_err(Failure::ours)? {
            return Ok(Effect::Known);
        }
        let answer = handler.call(&event).await.map_err(Failure::of)?;
        let _place = match H::CALLS {
            // The third party was called for this event already, so a hand-over does not end the wait.
            true => database.consumer_place().await,
            false => place(database, cancel).await?,
        };
        let mut tx = database.begin(scope.topic).await.map_err(Failure::ours)?;
        match inbox::enter(&mut tx, record, scope.group).await.map_err(Failure::ours)? {
            Entry::New => {}
            Entry::Known => return Ok(Effect::Known),
            Entry::Moved => {
                tx.commit().await.map_err(Failure::ours)?;
                return Ok(Effect::Known);
            }
        }
        handler.handle(event, answer, &mut tx).await.map_err(Failure::of)?;
        tx.commit().await.map_err(Failure::ours)?;
        Ok(Effect::Applied)
    }
}

/// Waits for a place among the consumers' transactions. An event that still waits has not begun: when the partition moves, it is
/// left to the next owner.
pub(super) async fn place<'a>(
    database: &'a Database,
    cancel: &CancellationToken,
) -> Result<SemaphorePermit<'a>, Failure> {
    cancel.run_until_cancelled(database.consumer_place()).await.ok_or_else(Failure::abandoned)
}

/// Shows each event to an observer, without a transaction.
pub(super) struct Observed<H> {
    pub(super) handler: H,
    pub(super) scope: Scope,
}

impl<H: Observer> Attempt for Observed<H> {
    type Message = H::Message;

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn database(&self) -> Option<&Database> {
        None
    }

    async fn attempt(
        &self,
        record: &Record,
        context: Context,
        _: &CancellationToken,
    ) -> Result<Effect, Failure> {
        let body = record.decode::<H::Message>().map_err(Failure::undecodable)?;
        self.handler.observe(Event::new(record, body, context)).await.map_err(Failure::of)?;
        Ok(Effect::Applied)
    }
}

/// Handles each event on its own.
pub(super) struct Singly<A>(pub(super) A);

impl<A: Attempt> Route for Singly<A> {
    fn scope(&self) -> &Scope {
        self.0.scope()
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
            let mut done = Vec::with_capacity(records.len());
            for record in &records {
                if one(&self.0, record, &cancel, self.0.scope().settings.attempts).await {
                    done.push(record.offset);
                }
            }
            done
        })
    }
}

/// Handles one event, with its span. Returns whether the event is done with.
pub(super) async fn one<A: Attempt>(
    way: &A,
    record: &Record,
    cancel: &CancellationToken,
    most: u32,
) -> bool {
    let (scope, started) = (way.scope(), Instant::now());
    let body = record.decode::<A::Message>();
    if let Ok(body) = &body
        && !scope.knows(body)
    {
        scope.skipped();
        return true;
    }
    let context = scope.span(record);
    let outcome = match body {
        Ok(_) => tried(way, record, &context, cancel, most).await,
        Err(error) => scope.bury(record, &context, cancel, (Reason::Undecodable, &error, 0)).await,
    };
    scope.end(&context, outcome, 1, started);
    outcome.is_final()
}

/// Tries one event at most this often; if that fails, makes it a dead letter.
async fn tried<A: Attempt>(
    way: &A,
    record: &Record,
    context: &Context,
    cancel: &CancellationToken,
    most: u32,
) -> Outcome {
    let scope = way.scope();
    let metrics = &scope.metrics;
    let trier =
        Trier { settings: &scope.settings, database: way.database(), metrics, cancel, context };
    match trier
        .run(most, || way.attempt(record, context.clone(), cancel).with_context(context.clone()))
        .await
    {
        Ending::Done(Effect::Applied) => {
            scope.arrived(context, record);
            Outcome::Handled
        }
        Ending::Done(Effect::Known) => {
            scope.metrics.duplicates.inc();
            context.span().set_attribute(KeyValue::new("mesh.duplicate", true));
            Outcome::Duplicate
        }
        Ending::Failed(failure, attempts) => {
            scope.bury(record, context, cancel, (failure.reason(), &failure.text, attempts)).await
        }
        Ending::Abandoned => Outcome::Abandoned,
    }
}
