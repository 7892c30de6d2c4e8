//! The rows that were sent to another log and not yet to this one.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::table::{self, Found, Key};
use crate::database::{Database, Error};

/// Rows to be sent again. New events are sent ahead of them, except events of the same keys.
pub(super) struct Replay {
    log: String,
    /// How many rows of a key wait, by the key's hash. Two keys with the same hash only wait for each other.
    keys: HashMap<u64, u32>,
    after: i64,
    until: i64,
    rows: usize,
}

impl Replay {
    /// Finds the rows that have to be sent again.
    pub(super) async fn find(database: &Database, log: &str) -> Result<Self, Error> {
        let mut replay =
            Self { log: log.to_owned(), keys: HashMap::new(), after: 0, until: 0, rows: 0 };
        loop {
            let page = table::keys_sent_to_other_log(database, log, replay.until).await?;
            let Some(Key(last, _)) = page.last() else { return Ok(replay) };
            replay.until = *last;
            replay.rows += page.len();
            for key in page.iter().filter_map(|Key(_, key)| key.as_ref()) {
                *replay.keys.entry(hash(key)).or_default() += 1;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Reads the next rows to be sent again, without those of these topics.
    pub(super) async fn next(
        &self,
        database: &Database,
        most: i64,
        except: &[&str],
    ) -> Result<Vec<Found>, Error> {
        table::sent_to_other_log(database, &self.log, self.after, self.until, most, except).await
    }

    /// Notes that no row up to this one is left to be sent again.
    pub(super) fn reached(&mut self, seq: i64) {
        self.after = seq;
    }

    /// Notes that one row of each of these keys was sent again or set aside. The key of a row that cannot be read is `None`.
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

    /// Returns whether an event of this key must wait, because earlier ones have not been sent again yet.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.keys.contains_key(&hash(key))
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
