//! Looks after a database between its statements: checks whether it answers again, and its files and their disk.

use std::{convert::Infallible, time::Duration};

use tokio::time::sleep;

use super::{Backend, Database, sqlite};
use crate::metrics::{IntGaugeVec, Registry};

/// The pause between two checks.
const LOOK: Duration = Duration::from_secs(1);

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
    async fn look_after(&self, file: &sqlite::File, before: u32) -> u32 {
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
        let idle = file.keeper().commits() == before && file.disk().log_bytes() > 0;
        if idle || !self.is_up() {
            file.keeper().cut().await;
        }
        file.keeper().commits()
    }

    fn tell_room(&self, file: &sqlite::File, was_short: &mut bool) {
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

    pub(super) fn show_files(&self, registry: &Registry, files: IntGaugeVec, free: IntGaugeVec) {
        let inner = std::sync::Arc::downgrade(&self.inner);
        registry.look(move || {
            let Some(inner) = inner.upgrade() else { return };
            let Backend::Sqlite(file) = &inner.backend else { return };
            let shown = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            files.with_label_values(&["data"]).set(shown(file.disk().file_bytes()));
            files.with_label_values(&["log"]).set(shown(file.disk().log_bytes()));
            if let Ok(bytes) = file.disk().free_bytes() {
                free.with_label_values(&["database"]).set(shown(bytes));
            }
        });
    }
}
