//! Handles events one by one: each in its own transaction, or observed without any.

use std::sync::Arc;

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, TraceContextExt},
};
use proto::topics::Envelope;
use tokio::{sync::SemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Caller, Observer,
    attempt::{Ending, Failure, Trier},
    dead_letter::Reason,
    inbox::{self, Entry},
    metrics::Outcome,
    record::Record,
    route::{Route, Scope},
};
use crate::database::Database;

/// What one attempt at an event came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Applied,
    Known,
}

/// One way to handle an event.
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

/// Events with an effect.
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
        let event =
            record.event(record.decode::<H::Message>().map_err(Failure::undecodable)?, context);
        if H::CALLS && inbox::knows(database, record, scope.group).await.map_err(Failure::ours)? {
            return Ok(Effect::Known);
        }
        let answer = handler.call(&event).await.map_err(Failure::of)?;
        let _place = match H::CALLS {
            // Whoever was called was called for this.
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

/// A place among the transactions; what waits for one has not begun, and may be left to somebody else.
pub(super) async fn place<'a>(
    database: &'a Database,
    cancel: &CancellationToken,
) -> Result<SemaphorePermit<'a>, Failure> {
    cancel.run_until_cancelled(database.consumer_place()).await.ok_or_else(Failure::abandoned)
}

/// Events without.
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
        self.handler.observe(record.event(body, context)).await.map_err(Failure::of)?;
        Ok(Effect::Applied)
    }
}

/// Handles each event alone.
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

/// Handles one event, its span included; whether it is done with.
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

/// Tries one event so often, and sets it aside if that is of no use.
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
