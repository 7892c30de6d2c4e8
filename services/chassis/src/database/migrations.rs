//! Migrations, embedded in the binary.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The steps that create a set of tables, oldest first. The macro [`migrations!`](crate::migrations!) makes them.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The steps.
    pub steps: &'static [Step],
    /// The table that notes the applied steps. Each set has its own, so that the numbers of two sets do not collide.
    pub table: &'static str,
}

/// One step, with its SQL for each kind of database.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The file's name without its ending: number and description, e.g. `0001_orders`.
    pub name: &'static str,
    /// The SQL for SQLite.
    pub sqlite: &'static str,
    /// The SQL for PostgreSQL.
    pub postgres: &'static str,
}

/// Embeds `migrations/sqlite/<name>.sql` and `migrations/postgres/<name>.sql` of the calling crate, in this order.
///
/// ```ignore
/// app.database(&config.database, chassis::migrations!["0001_orders", "0002_timers"]).await?
/// ```
#[macro_export]
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        $crate::database::Migrations {
            steps: &[$($crate::database::Step {
                name: $name,
                sqlite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".sql")),
                postgres: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".sql")),
            },)*],
            table: "migrations",
        }
    };
}

impl Migrations {
    /// Returns the migrator for PostgreSQL.
    pub(super) fn migrator(self) -> Migrator {
        let steps = self.steps.iter().enumerate().map(|(index, step)| {
            let (number, description) = step.name.split_once('_').unwrap_or((step.name, step.name));
            let version = number.parse().unwrap_or(index as i64 + 1);
            let sql = AssertSqlSafe(step.postgres).into_sql_str();
            Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
        });
        let mut migrator = Migrator::with_migrations(steps.collect());
        migrator.dangerous_set_table_name(self.table);
        migrator
    }
}
