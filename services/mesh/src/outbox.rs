//! `mesh outbox`: lists events that a service could not send at any attempt, and retries them or gives them up.
//!
//! They are in the service's own database. The command opens it with the service's configuration, whether the service runs or
//! not.

use std::{process::ExitCode, str::FromStr};

use anyhow::{Context, ensure};
use chassis::{
    config::{ConfigErrors, Sources},
    database::{self, Database},
    events::{
        self,
        outbox::{self, SetAside},
    },
    metrics::Registry,
    text::printable,
};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{config::EX_CONFIG, output, service};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh outbox list orders
  mesh outbox retry orders 17         put one back into the outbox, behind the waiting events
  mesh outbox purge orders all        drop all of them
  mesh outbox list orders --set database.url=postgres://orders@db/orders --json";

/// List events that a service could not send, put them back or drop them.
///
/// If no broker accepts an event, for example because it is too large, the service sets it aside and sends the following ones.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
    /// Override a setting, as `database.url=…`; may be repeated. Default: the settings of the service in this folder.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = service::pair)]
    overrides: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Action {
    /// List events that were set aside, oldest first.
    #[command(
        after_help = "Examples:\n  mesh outbox list orders\n  mesh outbox list orders --json"
    )]
    List {
        /// The service that published the events.
        #[arg(value_parser = service::names())]
        service: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put events back into the outbox, behind the waiting ones, if the broker accepts them now.
    #[command(
        after_help = "Examples:\n  mesh outbox retry orders all\n  mesh outbox retry orders 17"
    )]
    Retry(Chosen),
    /// Drop events: they are deleted and never sent.
    #[command(
        after_help = "Examples:\n  mesh outbox purge orders all\n  mesh outbox purge orders 17"
    )]
    Purge(Chosen),
}

#[derive(Args)]
struct Chosen {
    /// The service that published the events.
    #[arg(value_parser = service::names())]
    service: String,
    /// `all`, or a number as `mesh outbox list` prints it.
    #[arg(value_name = "all|NUMBER")]
    which: Which,
}

/// All events, or the one with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Which(Option<i64>);

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "all" => Ok(Self(None)),
            Ok(number) if number > 0 => Ok(Self(Some(number))),
            _ => Err("neither `all` nor a number".into()),
        }
    }
}

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let name = match &options.action {
        Action::List { service, .. } => service,
        Action::Retry(chosen) | Action::Purge(chosen) => &chosen.service,
    };
    let config = match config(name, &Sources::of_process(options.overrides))? {
        Ok(config) => config,
        Err(mistakes) => {
            output::print_error(mistakes);
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(&options.action, &config))?;
    Ok(ExitCode::SUCCESS)
}

fn config(name: &str, sources: &Sources) -> anyhow::Result<Result<database::Config, ConfigErrors>> {
    let entry = service::find(name)?;
    let read = entry.database.with_context(|| format!("{name} has no outbox"))?;
    Ok(read(sources))
}

async fn act(action: &Action, config: &database::Config) -> anyhow::Result<()> {
    let database = open(config).await?;
    match action {
        Action::List { json, .. } => list(&outbox::list(&database).await?, *json)?,
        Action::Retry(Chosen { which, .. }) => {
            print_count(
                outbox::retry(&database, which.0).await?,
                *which,
                "put back into the outbox",
            )?;
        }
        Action::Purge(Chosen { which, .. }) => {
            print_count(outbox::purge(&database, which.0).await?, *which, "given up")?;
        }
    }
    database.close().await;
    Ok(())
}

/// Refuses a database file that does not exist: opening it would create an empty one.
async fn open(config: &database::Config) -> anyhow::Result<Database> {
    if let Some(path) = config.file() {
        ensure!(
            path.exists(),
            "there is no database {}: start in the mesh's folder",
            path.display()
        );
    }
    Database::connect(config, &[events::MIGRATIONS], &Registry::new()).await
}

fn print_count(events: u64, which: Which, done: &str) -> anyhow::Result<()> {
    ensure!(events > 0 || which.0.is_none(), "no event of this number was set aside");
    let events = if events == 1 { "1 event was".into() } else { format!("{events} events were") };
    output::line(format_args!("{events} {done}"));
    Ok(())
}

/// The maximum width of foreign text in a column.
const WIDTH: usize = 60;

fn list(events: &[SetAside], json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&events.iter().map(object).collect::<Vec<_>>());
    }
    if events.is_empty() {
        output::line("no event was set aside");
        return Ok(());
    }
    let header =
        ["number", "reason", "topic", "event", "key", "bytes", "attempts", "time", "error"];
    let mut table = output::Table::new(&header);
    for event in events {
        let kind = event.event_type.rsplit('.').next().unwrap_or_default();
        table.row([
            event.seq.to_string(),
            printable(&event.reason, WIDTH),
            printable(&event.topic, WIDTH),
            printable(kind, WIDTH),
            printable(&event.key, WIDTH),
            event.size.to_string(),
            event.attempts.to_string(),
            humantime::format_rfc3339_seconds(event.at).to_string(),
            printable(&event.detail, WIDTH),
        ]);
    }
    output::line(table.text());
    Ok(())
}

fn object(event: &SetAside) -> serde_json::Value {
    json!({
        "number": event.seq,
        "id": event.event_id,
        "topic": event.topic,
        "type": event.event_type,
        "key": event.key,
        "bytes": event.size,
        "reason": event.reason,
        "attempts": event.attempts,
        "at": humantime::format_rfc3339_millis(event.at).to_string(),
        "error": event.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_all_or_one() {
        assert_eq!("all".parse(), Ok(Which(None)));
        assert_eq!("17".parse(), Ok(Which(Some(17))));
        assert!("-1".parse::<Which>().is_err() && "some".parse::<Which>().is_err());
    }

    #[test]
    fn a_service_without_an_outbox_is_named() {
        let error = config("gateway", &Sources::default()).unwrap_err();
        assert_eq!(error.to_string(), "gateway has no outbox");
        let orders = config("orders", &Sources::default()).unwrap().unwrap();
        assert!(orders.file().unwrap().ends_with(".mesh/orders.db"));
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/orders.db", folder.path().display());
        let config = database::Config { url: url.into(), ..database::Config::default() };
        let error = open(&config).await.unwrap_err();
        assert!(error.to_string().starts_with("there is no database"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
