//! One database transaction.

use opentelemetry::Context;
use sqlx::{Error, Postgres, Transaction};

use super::{backend::Backend, handle::Database, operation::Operation, sqlite::WriteGuard};

/// A transaction. Its changes are committed together, or not at all.
pub struct Tx {
    begun: Begun,
    database: Database,
    operation: Operation,
    published: bool,
    afterwards: Vec<Afterwards>,
}

pub(super) enum Begun {
    Sqlite(WriteGuard),
    Postgres(Transaction<'static, Postgres>),
}

type Afterwards = Box<dyn FnOnce() + Send>;

impl Database {
    /// Begins a transaction. It is rolled back unless it is committed.
    ///
    /// # Errors
    /// There was no connection within the time limit, or the database does not answer.
    pub async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        Tx::begin(self, operation).await
    }
}

impl Tx {
    async fn begin(database: &Database, name: &'static str) -> Result<Self, Error> {
        let operation = database.operation(name);
        let begin = async {
            Ok(match &database.inner.backend {
                Backend::Sqlite(file) => Begun::Sqlite(file.begin().await?),
                Backend::Postgres(pool) => Begun::Postgres(Box::pin(pool.begin()).await?),
            })
        };
        // Waiting for a connection has a limit of its own, and beginning is one short statement.
        let begun = database.record_outage(begin.await)?;
        Ok(Self {
            begun,
            database: database.clone(),
            operation,
            published: false,
            afterwards: Vec::new(),
        })
    }

    /// Notifies [`Database::published`] after the commit.
    pub(crate) fn notify_after_commit(&mut self) {
        self.published = true;
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
            Begun::Sqlite(writing) => database.record_outage(writing.commit()),
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
