//! What another log was told and this one was not.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::table::{self, Found, Key};
use crate::database::{Database, Error};

/// Rows to be sent again. New events pass them by, but for those of the same keys.
pub(super) struct Backlog {
    log: String,
    /// How many rows of a key wait, by its hash: two keys that share one only wait for each other.
    keys: HashMap<u64, u32>,
    after: i64,
    until: i64,
    rows: usize,
}

impl Backlog {
    /// Finds out what has to be sent again.
    pub(super) async fn find(database: &Database, log: &str) -> Result<Self, Error> {
        let mut backlog =
            Self { log: log.to_owned(), keys: HashMap::new(), after: 0, until: 0, rows: 0 };
        loop {
            let page = table::keys_elsewhere(database, log, backlog.until).await?;
            let Some(Key(last, _)) = page.last() else { return Ok(backlog) };
            backlog.until = *last;
            backlog.rows += page.len();
            for key in page.iter().filter_map(|Key(_, key)| key.as_ref()) {
                *backlog.keys.entry(hash(key)).or_default() += 1;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The next rows to be sent again, but for those of topics that take nothing.
    pub(super) async fn next(
        &self,
        database: &Database,
        most: i64,
        but: &[&str],
    ) -> Result<Vec<Found>, Error> {
        table::elsewhere(database, &self.log, self.after, self.until, most, but).await
    }

    /// Nothing up to this row is left to be sent again.
    pub(super) fn reached(&mut self, seq: i64) {
        self.after = seq;
    }

    /// Rows with these keys are done with: sent again, or set aside. The key of one that cannot be read is not known.
    pub(super) fn done<'a>(&mut self, keys: impl Iterator<Item = Option<&'a str>>) {
        for key in keys {
            self.rows = self.rows.saturating_sub(1);
            let Some(key) = key.map(hash) else { continue };
            if let Some(count) = self.keys.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.keys.remove(&key);
                }
            }
        }
    }

    /// Whether an event must wait: earlier ones of its key have not been sent again.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.keys.contains_key(&hash(key))
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
