//! `mesh dlq`: lists and shows dead letters, and replays them or gives them up.
//!
//! A dead letter stays in its topic: Kafka deletes no single record. When it is replayed or given up, a note is written to the
//! same topic; only this command reads notes, and so every operator sees the same state.

mod show;

use std::{process::ExitCode, str::FromStr, time::Duration};

use anyhow::{bail, ensure};
use chassis::{
    config::Sources,
    kafka::{Profile, Settings},
    text::printable,
};
use clap::{Args, Subcommand};
use event_log::{Client, Handled, Letter, Letters, Limits, Place, Queue};

use crate::{
    address, output,
    running::{Kafka, Running},
    service,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh dlq list
  mesh dlq show orders.events.dlq/0/3
  mesh dlq replay orders.events.dlq/0/3     send one to its original topic
  mesh dlq replay all                       send all; one that cannot be sent does not stop the others
  mesh dlq purge all                        drop all of them
  mesh dlq list --kafka kafka:9092 --json

The exit status is 1 if a letter could not be replayed or given up, or a partition could not be read.";

/// List dead letters, replay them or drop them.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
    /// The Kafka brokers: host:port, separated by commas. Default: the mesh of this folder.
    #[arg(long, global = true, value_name = "BROKERS", value_parser = address::brokers)]
    kafka: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// List dead letters that are waiting, oldest first.
    #[command(after_help = "Examples:\n  mesh dlq list\n  mesh dlq list --json | jq -r '.[].id'")]
    List {
        /// Include letters that were replayed or dropped.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter: its headers and its content.
    #[command(after_help = "Examples:\n  mesh dlq show orders.events.dlq/0/3")]
    Show {
        /// Its topic, partition and offset, as `mesh dlq list` prints it.
        #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
        place: Place,
    },
    /// Send dead letters to their original topics, for the service that could not handle them.
    ///
    /// An event that was handled in the meantime is not handled again.
    #[command(
        after_help = "Examples:\n  mesh dlq replay all\n  mesh dlq replay orders.events.dlq/0/3"
    )]
    Replay {
        /// `all`, or positions as `mesh dlq list` prints them.
        #[arg(required = true, value_name = "all|TOPIC/PARTITION/OFFSET")]
        which: Vec<Which>,
    },
    /// Drop dead letters: they are no longer listed.
    #[command(
        after_help = "Examples:\n  mesh dlq purge all\n  mesh dlq purge orders.events.dlq/0/3"
    )]
    Purge {
        /// `all`, or positions as `mesh dlq list` prints them.
        #[arg(required = true, value_name = "all|TOPIC/PARTITION/OFFSET")]
        which: Vec<Which>,
    },
}

/// The dead letters that a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    All,
    One(Place),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let kafka = match options.kafka {
        Some(brokers) => Kafka { brokers, embedded: false },
        None => Running::here()?.kafka,
    };
    let settings = service::settings(&Sources::of_process(Vec::new()))?.kafka;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let failures = runtime.block_on(act(options.action, &client(kafka, settings)))?;
    failures.iter().for_each(output::print_error);
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How long the broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of these brokers, with the login from the settings.
fn client(kafka: Kafka, settings: Settings) -> Client {
    let profile = if kafka.embedded { Profile::Embedded } else { Profile::Real };
    Client::new(
        "mesh-dlq",
        Settings { brokers: kafka.brokers, profile, ..settings },
        BROKER_TIMEOUT,
    )
}

/// Performs the action as far as possible, and returns a text for each failure.
async fn act(action: Action, client: &Client) -> anyhow::Result<Vec<String>> {
    let Letters { queue, unread: mut failures, .. } = client.reader()?.letters(Limits::NONE);
    match action {
        Action::List { all, json } => list(&queue, all, json)?,
        Action::Show { place } => match queue.find(&place) {
            Some(letter) => {
                show::whole(letter, queue.handled(letter))?.into_iter().for_each(output::line)
            }
            None => bail!("there is no dead letter {place}"),
        },
        Action::Replay { which } => {
            let letters = chosen(&queue, &which, &mut failures)?;
            failures.extend(each(client, &letters, Handled::Replayed).await?);
        }
        Action::Purge { which } => {
            let letters = chosen(&queue, &which, &mut failures)?;
            failures.extend(each(client, &letters, Handled::GivenUp).await?);
        }
    }
    Ok(failures)
}

/// Replays or gives up the letters one by one; returns a text for each failure. A failure does not stop the others, unless the
/// broker no longer answers.
async fn each(client: &Client, letters: &[&Letter], how: Handled) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    if letters.is_empty() {
        return Ok(failures);
    }
    let sender = client.sender()?;
    let mut done = 0;
    for (index, letter) in letters.iter().enumerate() {
        let result = match how {
            Handled::Replayed => sender.replay(letter).await,
            Handled::GivenUp => sender.give_up(letter).await,
        };
        match result {
            Ok(()) => {
                done += 1;
                output::line(format_args!("{how} {}", letter.place()));
            }
            Err(error) => {
                failures.push(format!("{} was not {how}: {error:#}", letter.place()));
                if let Err(gone) = sender.ask() {
                    let left = letters.len() - index - 1;
                    failures.push(format!(
                        "{left} further letters were not tried: {:#}",
                        anyhow::Error::from(gone)
                    ));
                    break;
                }
            }
        }
    }
    if !failures.is_empty() && letters.len() > 1 {
        failures.push(format!("{done} of {} dead letters were {how}", letters.len()));
    }
    Ok(failures)
}

fn list(queue: &Queue, all: bool, json: bool) -> anyhow::Result<()> {
    let letters: Vec<_> =
        queue.letters().filter(|letter| all || queue.handled(letter).is_none()).collect();
    if json {
        let summaries: Vec<_> =
            letters.iter().map(|letter| letter.summary(queue.handled(letter))).collect();
        return output::json(&summaries);
    }
    if letters.is_empty() {
        output::line("no dead letters");
        return Ok(());
    }
    let mut table = output::Table::new(&[
        "dead letter",
        "reason",
        "group",
        "attempts",
        "event",
        "key",
        "time",
        "trace",
        "error",
    ]);
    for letter in letters {
        table.row(show::row(letter, queue.handled(letter)));
    }
    let width = output::width();
    table.lines().iter().for_each(|line| output::line(printable(line, width)));
    Ok(())
}

/// The chosen letters, without those that were handled, so that none is sent twice by accident. A letter that does not exist is
/// reported as a failure.
fn chosen<'a>(
    queue: &'a Queue,
    which: &[Which],
    failures: &mut Vec<String>,
) -> anyhow::Result<Vec<&'a Letter>> {
    if which.contains(&Which::All) {
        ensure!(which.len() == 1, "either all, or some");
        let waiting: Vec<_> =
            queue.letters().filter(|letter| queue.handled(letter).is_none()).collect();
        if waiting.is_empty() {
            output::line("no dead letters");
        }
        return Ok(waiting);
    }
    let mut letters = Vec::<&Letter>::new();
    for one in which {
        let Which::One(place) = one else { continue };
        match queue.find(place).map(|letter| (letter, queue.handled(letter))) {
            None => failures.push(format!("there is no dead letter {place}")),
            Some((_, Some(how))) => output::line(format_args!("{place} was {how} before")),
            Some((letter, None)) if letters.iter().any(|one| one.place() == letter.place()) => {}
            Some((letter, None)) => letters.push(letter),
        }
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use chassis::events::dead_letter;
    use rdkafka::{
        ClientConfig,
        message::{Header, OwnedHeaders},
        producer::{FutureProducer, FutureRecord},
    };

    use super::*;
    use crate::topics;

    #[test]
    fn letters_are_all_or_named() {
        assert_eq!("all".parse(), Ok(Which::All));
        assert!(matches!("orders.events.dlq/0/3".parse(), Ok(Which::One(_))));
        assert!("some".parse::<Which>().is_err());
    }

    /// A letter whose header says that it was on `origin`.
    async fn send_dead(brokers: &str, origin: &str) {
        let header = Header { key: dead_letter::TOPIC, value: Some(origin) };
        let record = FutureRecord::to("orders.events.dlq")
            .key("o-1")
            .payload("payload")
            .headers(OwnedHeaders::new().insert(header));
        let producer: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
        producer.send(record, BROKER_TIMEOUT).await.unwrap();
    }

    // Reading blocks a thread, and the broker needs another.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_letter_that_cannot_be_replayed_stops_no_other() {
        let embedded = topics::embedded_broker(([127, 0, 0, 1], 0).into()).await;
        let brokers = embedded.bootstrap_servers().to_owned();
        for origin in ["", "no.such.topic", "orders.events"] {
            send_dead(&brokers, origin).await;
        }
        let client = client(Kafka { brokers, embedded: true }, Settings::default());
        let replay = |which: &str| Action::Replay { which: vec![which.parse().unwrap()] };
        let failures = act(replay("all"), &client).await.unwrap();
        assert_eq!(failures.len(), 3, "{failures:?}");
        assert!(failures[0].contains("does not say where it came from"), "{failures:?}");
        assert!(failures[1].contains("there is no topic \"no.such.topic\""), "{failures:?}");
        assert_eq!(failures[2], "1 of 3 dead letters were replayed");
        let queue = client.reader().unwrap().letters(Limits::NONE).queue;
        let handled: Vec<_> = queue.letters().map(|letter| queue.handled(letter)).collect();
        assert_eq!(handled, [None, None, Some(Handled::Replayed)]);
        let failures = act(replay("orders.events/0/99"), &client).await.unwrap();
        assert_eq!(failures, ["there is no dead letter orders.events.dlq/0/99"]);
    }
}
