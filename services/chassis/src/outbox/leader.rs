//! One relay a database: two would let a key's events overtake each other.

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

/// How often a relay in waiting tries to take over.
const TRY: Duration = Duration::from_millis(500);
/// The channel on which the others tell the leading relay that they left something.
const CHANNEL: &str = "outbox";

/// What a relay holds while it leads.
pub(super) enum Lead {
    /// A lock on a file beside the database; the operating system takes it back when the process ends.
    File(#[expect(dead_code, reason = "held, not read")] File),
    /// A lock of a session; PostgreSQL takes it back when the connection ends.
    Session(Box<PgListener>),
}

/// What a relay that leads is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Another replica left something in the outbox.
    Published,
    /// Somebody else may lead now.
    Lost,
}

impl Lead {
    /// Waits until this relay leads. While it waits, it tells the leading one of what this process commits.
    pub(super) async fn take(database: &Database, service: &str) -> Result<Self, Error> {
        if database.is_postgres() { session(database, service).await } else { file(database).await }
    }

    /// What comes next; never returns for a file.
    pub(super) async fn news(&mut self) -> News {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Session(listener) => match listener.try_recv().await {
                Ok(Some(_)) => News::Published,
                Ok(None) | Err(_) => News::Lost,
            },
        }
    }
}

async fn file(database: &Database) -> Result<Lead, Error> {
    let path = format!("{}.relay", database.path());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lead::File(file)),
            Err(TryLockError::WouldBlock) => sleep(TRY).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

async fn session(database: &Database, service: &str) -> Result<Lead, Error> {
    let options = PgConnectOptions::from_str(database.url())?.disable_statement_logging();
    // Its own connection, never replaced: whoever leads must notice that the session ended.
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
            return Ok(Lead::Session(Box::new(listener)));
        }
        tokio::select! {
            () = sleep(TRY) => {}
            () = database.published().notified() => {
                sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&mut listener).await?;
            }
        }
    }
}

/// The number of a service's advisory lock: SipHash-1-3 with the key 0 of `outbox`, `0xff`, the service's name, `0xff`.
///
/// Every version must compute the same: with two numbers there would be two leaders for as long as a rolling update takes. It
/// was once what the standard library's default hasher makes of `("outbox", service)`, which that library may change; so it is
/// written out here, and is the same number.
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

    /// The numbers are written down: what computes them may not change them.
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

    /// Until the standard library changes its own, it is also what earlier versions held.
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
