//! What a database does when its statements take too long, its disk is full, or its file is not what it was.

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::{task::JoinSet, time::sleep};

use super::{backend::Backend, sqlite::SqliteDb, *};
use crate::{error::Kind, metrics::Registry, readiness::Readiness};

const TABLES: Migrations = Migrations {
    steps: &[Step {
        name: "0001_notes",
        sqlite: "create table notes (id integer primary key, text blob not null);
             create table probe (id bigint primary key, at bigint not null);
             insert into probe (id, at) values (1, 0);",
        postgres: "",
    }],
    table: "migrations",
};

/// A SQLite file that is looked after as in a service.
struct Kept {
    folder: TempDir,
    database: Database,
    readiness: Readiness,
    registry: Registry,
    _tasks: JoinSet<anyhow::Result<()>>,
}

impl Kept {
    async fn open(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/notes.db", folder.path().display());
        let registry = Registry::new();
        let readiness = Readiness::new(&registry).unwrap();
        let config = Config { url: url.into(), ..config };
        let database = Database::connect(&config, &[TABLES], &registry).await.unwrap();
        database.report_to(&readiness);
        let mut tasks = JoinSet::new();
        tasks.spawn(database.clone().keep());
        Self { folder, database, readiness, registry, _tasks: tasks }
    }

    fn file(&self) -> &SqliteDb {
        let Backend::Sqlite(file) = &self.database.inner.backend else { panic!("it is a file") };
        file
    }

    fn path(&self, end: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("notes.db{end}"))
    }

    async fn write(&self, bytes: usize) -> Result<(), Error> {
        let mut tx = self.database.begin("write").await?;
        tx.query("insert into notes (text) values ($1)").bind(vec![7; bytes]).execute().await?;
        tx.commit().await
    }

    fn reason(&self, name: &str) -> Option<String> {
        let degraded = self.readiness.degraded().into_iter();
        degraded.filter(|one| one.name == name).map(|one| one.reason).next()
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..6000 {
        if condition().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

const ENDLESS: &str = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers) select max(n) from numbers";

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_and_its_transaction_with_it() {
    let limit = Duration::from_millis(100);
    let kept = Kept::open(Config { statement_timeout: limit, ..Config::default() }).await;
    let read = kept.database.query("endless", ENDLESS).one::<(i64,)>().await.unwrap_err();
    assert_eq!(crate::Error::from(read).kind(), Kind::DeadlineExceeded);

    let mut tx = kept.database.begin("endless").await.unwrap();
    tx.query("insert into notes (text) values ('before')").execute().await.unwrap();
    let sql = format!("insert into notes (text) {ENDLESS}");
    let late = tx.query(sqlx::AssertSqlSafe(sql)).execute().await.unwrap_err();
    assert_eq!(crate::Error::from(late).kind(), Kind::DeadlineExceeded);
    // SQLite has rolled the transaction back: a further statement would be a transaction of its own.
    tx.query("insert into notes (text) values ('after')").execute().await.unwrap_err();
    tx.commit().await.unwrap_err();
    let count = kept.database.query("count", "select count(*) from notes").one::<(i64,)>().await;
    assert_eq!(count.unwrap(), (0,));
    assert!(kept.database.is_up(), "it says nothing about the database");
    kept.write(1).await.unwrap();
}

/// A writer and a reader run without a pause, so there is no moment at which SQLite itself could restart the log.
#[tokio::test]
async fn the_log_stays_short_while_others_write_and_read() {
    let kept = Kept::open(Config::default()).await;
    let mut longest = 0;
    for _ in 0..1500 {
        let read = kept.database.query("count", "select count(*) from notes").one::<(i64,)>();
        let (written, read) = tokio::join!(kept.write(100_000), read);
        written.unwrap();
        read.unwrap();
        longest = longest.max(kept.file().disk().log_bytes());
    }
    let mib = longest >> 20;
    assert!(mib <= 64, "{mib} MiB of log for 150 MB that were written");
    until(async || kept.file().disk().log_bytes() == 0).await;
    let text = kept.registry.text();
    assert!(text.contains("mesh_database_file_bytes{file=\"log\"} 0\n"), "{text}");
}

/// Makes the disk full for the database alone: SQLite may not add pages.
async fn let_grow(kept: &Kept, may: bool) {
    let writer = kept.file().writer().lock().await;
    let pages = if may { i64::from(u32::MAX - 1) } else { 1 };
    writer.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

#[tokio::test]
async fn a_full_disk_takes_the_service_out_of_the_rotation_until_there_is_room() {
    let kept = Kept::open(Config::default()).await;
    until(async || kept.path("-reserve").exists()).await;
    let_grow(&kept, false).await;
    let full = kept.write(100_000).await.unwrap_err();
    assert_eq!(crate::Error::from(full).kind(), Kind::Unavailable);
    assert_eq!(kept.readiness.missing(), ["database"]);
    assert!(kept.reason("database").unwrap().starts_with("the disk is full"));
    let_grow(&kept, true).await;
    until(async || kept.readiness.missing().is_empty()).await;
    kept.write(100_000).await.unwrap();
    until(async || kept.path("-reserve").exists()).await;
}

#[tokio::test]
async fn a_file_that_was_deleted_or_replaced_is_not_written_to() {
    for replaced in [false, true] {
        let kept = Kept::open(Config::default()).await;
        kept.write(1).await.unwrap();
        fs::remove_file(kept.path("")).unwrap();
        if replaced {
            fs::write(kept.path(""), b"another").unwrap();
        }
        // No request is needed for this to be noticed.
        until(async || kept.readiness.missing() == ["database"]).await;
        let error = crate::Error::from(kept.write(1).await.unwrap_err());
        assert_eq!(error.kind(), Kind::Unavailable);
        let how = if replaced { "was replaced" } else { "was deleted" };
        assert!(kept.reason("database").unwrap().contains(how));
    }
}

#[tokio::test]
async fn a_damaged_file_is_reported_for_good() {
    let kept = Kept::open(Config::default()).await;
    for _ in 0..50 {
        kept.write(10_000).await.unwrap();
    }
    until(async || kept.file().disk().log_bytes() == 0).await;
    damage(&kept.path(""));
    let read = "select sum(length(text)) from notes";
    let error = kept.database.query("read", read).one::<(i64,)>().await.unwrap_err();
    assert_eq!(crate::Error::from(error).kind(), Kind::Unavailable);
    assert_eq!(kept.readiness.missing(), ["database"]);
    // Statements that still succeed do not prove the rest of the file intact.
    kept.database.seen_up(true);
    assert_eq!(kept.readiness.missing(), ["database"]);
}

/// Overwrites all but the first pages, which have the schema.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[80_000..].fill(0xff);
    fs::write(path, bytes).unwrap();
}

/// If every replica left the rotation, an outage of the server would be an outage of everything.
#[tokio::test]
async fn a_server_that_does_not_answer_is_reported_and_takes_no_traffic_away() {
    let registry = Registry::new();
    let readiness = Readiness::new(&registry).unwrap();
    let config = Config {
        url: "postgres://nobody@127.0.0.1:1/none".into(),
        acquire_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let database = Database::open(&config, &registry).unwrap();
    database.report_to(&readiness);
    database.begin("test").await.err().unwrap();
    assert!(readiness.missing().is_empty());
    assert_eq!(readiness.degraded().len(), 1);
    database.seen_up(true);
    assert!(readiness.degraded().is_empty());
}
