//! Looks after a database between its statements: checks whether it answers again, and its files and their disk.

use std::{convert::Infallible, time::Duration};

use tokio::time::sleep;

use super::{Database, Error, backend::Backend, now, sqlite::SqliteDb};
use crate::retry;

/// The pause between two checks.
const LOOK: Duration = Duration::from_secs(1);
/// First and longest pause between two probes of a database that does not answer.
const FIRST_PROBE: Duration = Duration::from_millis(50);
const PROBE_CAP: Duration = Duration::from_secs(1);

impl Database {
    /// Looks after the database for as long as the process lives: probes one that does not answer, cuts the write-ahead log when
    /// nothing is written, makes room on a full disk.
    ///
    /// # Errors
    /// Never: what fails is tried again.
    pub async fn keep(self) -> anyhow::Result<()> {
        match self.kept().await {}
    }

    async fn kept(&self) -> Infallible {
        let (mut commits, mut short) = (0, false);
        loop {
            sleep(LOOK).await;
            if let Backend::Sqlite(file) = &self.inner.backend {
                commits = self.look_after(file, commits).await;
                self.tell_room(file, &mut short);
            }
            if !self.is_up() {
                // The error is recorded where it occurs, and logged by the tasks that wait for the database.
                self.probe().await.ok();
            }
        }
    }

    /// Returns the number of commits, so that the next check sees whether there are new ones.
    async fn look_after(&self, file: &SqliteDb, before: u32) -> u32 {
        if let Err(error) = file.disk().check() {
            self.seen_down(&error.into());
            return before;
        }
        if self.is_up() {
            file.disk().keep_reserve();
        } else {
            // On a full disk, this makes room to move the log into the file, which then frees the space of the log.
            file.disk().release_reserve();
        }
        let idle = file.checkpoints().commits() == before && file.disk().log_bytes() > 0;
        if idle || !self.is_up() {
            file.checkpoints().cut().await;
        }
        file.checkpoints().commits()
    }

    fn tell_room(&self, file: &SqliteDb, was_short: &mut bool) {
        let short = file.disk().is_short();
        if short && !*was_short {
            tracing::warn!("the disk of the database is nearly full");
        }
        *was_short = short;
        let Some(disk) = self.inner.conditions.get().and_then(|all| all.disk.as_ref()) else {
            return;
        };
        if short {
            disk.raise("the disk of the database is nearly full");
        } else {
            disk.clear();
        }
    }

    /// If the last request failed, waits until the database takes writes. Returns whether it had to wait.
    pub(crate) async fn until_up(&self) -> bool {
        if self.is_up() {
            return false;
        }
        let (mut probes, mut waited) = (0, false);
        while let Err(error) = self.probe().await {
            if !waited {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database does not answer, waiting for it"
                );
            }
            waited = true;
            sleep(retry::pause(FIRST_PROBE, PROBE_CAP, probes)).await;
            probes += 1;
        }
        if waited {
            tracing::info!("the database answers again");
        }
        waited
    }

    async fn probe(&self) -> Result<(), Error> {
        let mut tx = self.begin("probe").await?;
        tx.query("update probe set at = $1 where id = 1").bind(now()).execute().await?;
        tx.commit().await
    }
}
