//! One database transaction.

use opentelemetry::Context;
use proto::topics::Envelope;
use sqlx::{Error, Postgres, SqlSafeStr, Transaction};

use super::{Backend, Database, Statement, operation::Operation, sqlite::Writing};
use crate::events::outbox;

/// A transaction. Its changes and the events that it publishes are committed together, or not at all.
pub struct Tx {
    begun: Begun,
    database: Database,
    operation: Operation,
    published: bool,
    afterwards: Vec<Afterwards>,
}

pub(super) enum Begun {
    Sqlite(Writing),
    Postgres(Transaction<'static, Postgres>),
}

type Afterwards = Box<dyn FnOnce() + Send>;

impl Tx {
    pub(super) async fn begin(database: &Database, name: &'static str) -> Result<Self, Error> {
        let operation = database.operation(name);
        let begin = async {
            Ok(match &database.inner.backend {
                Backend::Sqlite(file) => Begun::Sqlite(file.begin().await?),
                Backend::Postgres(pool) => Begun::Postgres(Box::pin(pool.begin()).await?),
            })
        };
        // Waiting for a connection has a limit of its own, and beginning is one short statement.
        let begun = database.judged(begin.await)?;
        Ok(Self {
            begun,
            database: database.clone(),
            operation,
            published: false,
            afterwards: Vec::new(),
        })
    }

    /// A statement in this transaction.
    pub fn query(&mut self, sql: impl SqlSafeStr) -> Statement<'_> {
        Statement::within(self, sql.into_sql_str())
    }

    /// Writes an event to the outbox. It is sent after the commit, as part of the current trace.
    ///
    /// Publish after the statement that changes the state which the event describes: then two transactions that change the same
    /// state publish their events in the order of their commits.
    ///
    /// # Errors
    /// The message has no event or no key, or is larger than [`outbox::EVENT_MAX`]; or the database refused it.
    pub async fn publish<M: Envelope>(&mut self, message: &M) -> Result<(), Error> {
        self.publish_in(&Context::current(), message).await
    }

    /// Writes an event to the outbox as [`Tx::publish`] does, as part of another trace: in a batch, that of the event it answers.
    ///
    /// # Errors
    /// As [`Tx::publish`].
    pub async fn publish_in<M: Envelope>(
        &mut self,
        context: &Context,
        message: &M,
    ) -> Result<(), Error> {
        outbox::insert(self, context, message).await?;
        self.published = true;
        Ok(())
    }

    /// Runs an effect after the commit, as part of the current trace: e.g. counts, logs, or wakes a task that waits for the
    /// change. A handler itself returns before its commit.
    pub fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        let context = Context::current();
        self.afterwards.push(Box::new(move || {
            let _attached = context.attach();
            effect();
        }));
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// The database refused the commit. If the connection was lost meanwhile, it is unknown whether the commit took effect.
    pub async fn commit(self) -> Result<(), Error> {
        let Self { begun, database, operation, published, afterwards } = self;
        let result = match begun {
            Begun::Sqlite(writing) => database.judged(writing.commit()),
            Begun::Postgres(transaction) => database.limited(Box::pin(transaction.commit())).await,
        };
        operation.end(&result);
        result?;
        database.seen_up(true);
        if let Backend::Sqlite(file) = &database.inner.backend {
            file.committed().await;
        }
        if published {
            database.published().notify_one();
        }
        for effect in afterwards {
            effect();
        }
        Ok(())
    }

    pub(super) fn parts(&mut self) -> (&Database, &mut Begun) {
        (&self.database, &mut self.begun)
    }
}
