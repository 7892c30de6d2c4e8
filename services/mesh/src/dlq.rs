//! `mesh dlq`: events that nobody could handle, looked at and sent again.
//!
//! A dead letter stays in its topic: Kafka deletes no single record. That it was replayed or given up is noted in the same
//! topic, by a record that only this command reads, so that everybody who looks sees the same.

mod broker;
mod letter;
mod show;

use std::{process::ExitCode, str::FromStr};

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};

use self::{
    broker::Broker,
    letter::{Letter, Place, Queue},
};
use crate::{
    output,
    running::{Kafka, Running},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh dlq list
  mesh dlq show orders.events.dlq/0/3
  mesh dlq replay orders.events.dlq/0/3     send one to where it came from
  mesh dlq replay all
  mesh dlq purge all                        give them up
  mesh dlq list --kafka kafka:9092 --json";

/// Look at dead letters; replay them or give them up.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
    /// Where Kafka is: host:port, with commas between. Without it: the mesh of this folder.
    #[arg(long, global = true, value_name = "BROKERS")]
    kafka: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// List dead letters that are waiting, oldest first.
    #[command(after_help = "Examples:\n  mesh dlq list\n  mesh dlq list --json | jq -r '.[].id'")]
    List {
        /// Also those that were replayed or given up.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one: headers, and what is in it.
    #[command(after_help = "Examples:\n  mesh dlq show orders.events.dlq/0/3")]
    Show {
        /// Its topic, partition and offset, as `mesh dlq list` prints it.
        #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
        place: Place,
    },
    /// Send dead letters to where they came from, for the service that could not handle them.
    ///
    /// An event that was handled in the meantime is not handled again.
    #[command(
        after_help = "Examples:\n  mesh dlq replay all\n  mesh dlq replay orders.events.dlq/0/3"
    )]
    Replay {
        /// `all`, or places as `mesh dlq list` prints them.
        #[arg(required = true, value_name = "all|TOPIC/PARTITION/OFFSET")]
        which: Vec<Which>,
    },
    /// Give dead letters up: they are no longer listed.
    #[command(
        after_help = "Examples:\n  mesh dlq purge all\n  mesh dlq purge orders.events.dlq/0/3"
    )]
    Purge {
        /// `all`, or places as `mesh dlq list` prints them.
        #[arg(required = true, value_name = "all|TOPIC/PARTITION/OFFSET")]
        which: Vec<Which>,
    },
}

/// Which letters are meant.
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(options.action, &Broker::new(kafka)))?;
    Ok(ExitCode::SUCCESS)
}

async fn act(action: Action, broker: &Broker) -> anyhow::Result<()> {
    let queue = broker.read()?;
    match action {
        Action::List { all, json } => list(&queue, all, json)?,
        Action::Show { place } => match queue.find(&place) {
            Some(letter) => {
                show::whole(letter, queue.handled(letter)).into_iter().for_each(output::line)
            }
            None => bail!("there is no dead letter {place}"),
        },
        Action::Replay { which } => {
            for letter in chosen(&queue, &which)? {
                broker.replay(letter).await?;
                output::line(format_args!("replayed {} to {}", letter.place, letter.origin()?));
            }
        }
        Action::Purge { which } => {
            for letter in chosen(&queue, &which)? {
                broker.give_up(letter).await?;
                output::line(format_args!("gave up {}", letter.place));
            }
        }
    }
    Ok(())
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
    let mut table = output::table(&[
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
        table.add_row(show::row(letter, queue.handled(letter)));
    }
    output::line(output::text(&table));
    Ok(())
}

/// The letters that are meant, without those that were handled: nothing is sent twice by accident.
fn chosen<'a>(queue: &'a Queue, which: &[Which]) -> anyhow::Result<Vec<&'a Letter>> {
    if which.contains(&Which::All) {
        ensure!(which.len() == 1, "either all, or some");
        let waiting: Vec<_> =
            queue.letters().filter(|letter| queue.handled(letter).is_none()).collect();
        if waiting.is_empty() {
            output::line("no dead letters");
        }
        return Ok(waiting);
    }
    let mut letters = Vec::new();
    for one in which {
        let Which::One(place) = one else { continue };
        let Some(letter) = queue.find(place) else { bail!("there is no dead letter {place}") };
        match queue.handled(letter) {
            Some(how) => output::line(format_args!("{place} was {how} before")),
            None => letters.push(letter),
        }
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_all_or_named() {
        assert_eq!("all".parse(), Ok(Which::All));
        assert!(matches!("orders.events.dlq/0/3".parse(), Ok(Which::One(_))));
        assert!("some".parse::<Which>().is_err());
    }
}
