//! One relay leads per database: with two, the events of a key could overtake each other.

use std::{
    fs::{File, OpenOptions, TryLockError},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::time::sleep;

use crate::database::{Database, Error};

/// How often a waiting relay tries to take the lead.
const ACQUIRE_INTERVAL: Duration = Duration::from_millis(500);
/// The channel on which waiting relays notify the leading one that their process published an event.
const CHANNEL: &str = "outbox";

/// The lock that the leading relay holds.
pub(super) enum Leadership {
    /// A lock on a file beside the database. The operating system releases it when the process ends.
    File(#[expect(dead_code, reason = "held, not read")] File),
    /// An advisory lock of a session. PostgreSQL releases it when the connection ends.
    Session(Box<PgListener>),
}

/// A notification to the leading relay.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeaderEvent {
    /// Another replica published an event.
    Published,
    /// The lock may be gone, so another relay may lead.
    Lost,
}

impl Leadership {
    /// Waits until this relay leads. With PostgreSQL, it meanwhile notifies the leading relay when this process publishes an
    /// event.
    pub(super) async fn acquire(database: &Database, service: &str) -> Result<Self, Error> {
        if database.is_postgres() { session(database, service).await } else { file(database).await }
    }

    /// Waits for the next notification. With a file it never returns.
    pub(super) async fn next_event(&mut self) -> LeaderEvent {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Session(listener) => match listener.try_recv().await {
                Ok(Some(_)) => LeaderEvent::Published,
                Ok(None) | Err(_) => LeaderEvent::Lost,
            },
        }
    }
}

async fn file(database: &Database) -> Result<Leadership, Error> {
    let path = format!("{}.relay", database.path());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Leadership::File(file)),
            Err(TryLockError::WouldBlock) => sleep(ACQUIRE_INTERVAL).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

async fn session(database: &Database, service: &str) -> Result<Leadership, Error> {
    let options = PgConnectOptions::from_str(database.url())?.disable_statement_logging();
    // One connection, never replaced: the leading relay must notice that its session has ended.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options)
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let key = lock_key(service);
    loop {
        let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(key);
        if lock.fetch_one(&mut listener).await? {
            listener.listen(CHANNEL).await?;
            return Ok(Leadership::Session(Box::new(listener)));
        }
        tokio::select! {
            () = sleep(ACQUIRE_INTERVAL) => {}
            () = database.published().notified() => {
                sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&mut listener).await?;
            }
        }
    }
}

/// Returns the number of a service's advisory lock: SipHash-1-3 with the key 0 over `outbox`, `0xff`, the service's name, `0xff`.
///
/// Every version must compute the same number: with two numbers, two relays would lead during a rolling update. Earlier versions
/// hashed `("outbox", service)` with the standard library's default hasher, whose algorithm may change; so the algorithm is
/// written out here, and gives the same number.
fn lock_key(service: &str) -> i64 {
    let text = [b"outbox\xff", service.as_bytes(), b"\xff"].concat();
    siphash(&text).cast_signed()
}

/// SipHash-1-3 with the key 0: <https://www.aumasson.jp/siphash/siphash.pdf>
fn siphash(text: &[u8]) -> u64 {
    let mut state = [
        0x736f_6d65_7073_6575,
        0x646f_7261_6e64_6f6d,
        0x6c79_6765_6e65_7261,
        0x7465_6462_7974_6573,
    ];
    let take = |word: u64, state: &mut [u64; 4]| {
        state[3] ^= word;
        round(state);
        state[0] ^= word;
    };
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        take(u64::from_le_bytes(*word), &mut state);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = (text.len() % 256) as u8;
    take(u64::from_le_bytes(last), &mut state);
    state[2] ^= 0xff;
    (0..3).for_each(|_| round(&mut state));
    state.iter().fold(0, |all, word| all ^ word)
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *c = c.wrapping_add(*d);
    *b = b.rotate_left(13) ^ *a;
    *d = d.rotate_left(16) ^ *c;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*b);
    *a = a.wrapping_add(*d);
    *b = b.rotate_left(17) ^ *c;
    *d = d.rotate_left(21) ^ *a;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    /// The expected numbers are literals, so that a change of the algorithm fails this test.
    #[test]
    fn the_lock_of_a_service_is_the_same_number_in_every_version() {
        for (service, key) in [
            ("orders", 6_190_604_884_179_610_991),
            ("inventory", -1_189_852_133_135_398_978),
            ("", -6_270_370_396_150_401_104),
            ("a-name-of-24-characters-", 6_604_056_301_317_132_954),
        ] {
            assert_eq!(lock_key(service), key, "{service}");
        }
    }

    /// As long as the standard library's default hasher does not change, it gives the numbers of earlier versions.
    #[test]
    fn earlier_versions_held_the_same_lock() {
        for length in 0..40 {
            let service = "x".repeat(length);
            let mut hasher = DefaultHasher::new();
            ("outbox", service.as_str()).hash(&mut hasher);
            assert_eq!(lock_key(&service), hasher.finish().cast_signed(), "{length}");
        }
    }
}
