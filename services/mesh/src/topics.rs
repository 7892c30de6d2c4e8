//! `mesh topics`: creates topics on brokers that are not embedded, as a job before the services start; a broker that creates them
//! at their first use gives them too few partitions. `mesh up --kafka` creates them itself.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use chassis::{config::Sources, kafka};
use clap::Args;
use embedded_kafka::Retention;
use event_log::{ConnectionErrors, metadata};
use proto::topics;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::{Instant, sleep};

use crate::{config::EX_CONFIG, output, service};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh topics                                    on the brokers from mesh.toml or MESH_KAFKA__BROKERS
  mesh topics --set kafka.brokers=kafka:9092     on these brokers
  mesh topics --wait 3m                          wait up to three minutes for brokers that are starting";

/// Create the missing Kafka topics, each with its dead-letter topic; existing topics are not changed.
///
/// The command waits for brokers that are still starting, and can be repeated at any time.
#[derive(Args)]
pub(crate) struct Options {
    /// Override a setting, as `kafka.brokers=kafka:9092`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = service::pair)]
    overrides: Vec<(String, String)>,
    /// How long to wait for the brokers.
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    wait: Duration,
}

/// A broker that runs answers at once.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between attempts: a broker in a container takes seconds to start, and a refused connection fails at once.
const PAUSE: Duration = Duration::from_millis(500);
/// The brokers' default number of replicas.
const REPLICATION: TopicReplication<'_> = TopicReplication::Fixed(-1);
/// Dead letters are read by people, so one partition is enough.
const DEAD_LETTER_PARTITIONS: i32 = 1;

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let settings = match service::settings(&Sources::of_process(options.overrides.clone())) {
        Ok(settings) => settings,
        Err(mistakes) => {
            output::print_error(mistakes);
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = output::Table::new(&["topic", "partitions", ""]);
    for Topic { name, partitions, there } in
        runtime.block_on(make_within(&settings.kafka, options.wait))?
    {
        let (now, done) = match there {
            None => (partitions, "made"),
            Some(now) => (now, "was there"),
        };
        table.row([name.as_str(), &now.to_string(), done]);
        if now < partitions {
            output::print_error(format_args!(
                "{name} has fewer partitions than the {partitions} that so many replicas could share; \
                 more would move its keys, so it stays as it is"
            ));
        }
    }
    output::line(table.text());
    Ok(ExitCode::SUCCESS)
}

/// A topic as it should be, and as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    name: String,
    partitions: i32,
    /// Its number of partitions if it existed before.
    there: Option<i32>,
}

impl Topic {
    fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, there: None }
    }
}

/// Every topic, each with its dead-letter topic.
fn all() -> Vec<Topic> {
    let pair = |topic: &&str| {
        let dead = format!("{topic}{}", topics::DEAD_LETTER_SUFFIX);
        [Topic::new(*topic, topics::PARTITIONS), Topic::new(dead, DEAD_LETTER_PARTITIONS)]
    };
    topics::ALL.iter().flat_map(pair).collect()
}

/// The same topics for the embedded broker.
pub(crate) fn embedded() -> Vec<embedded_kafka::Topic> {
    let topic = |Topic { name, partitions, .. }: Topic| embedded_kafka::Topic {
        retention: match name.ends_with(topics::DEAD_LETTER_SUFFIX) {
            true => Retention::Budget,
            false => Retention::Consumed,
        },
        partitions: usize::try_from(partitions).unwrap_or(1),
        name,
    };
    all().into_iter().map(topic).collect()
}

/// An embedded broker with all topics, for tests.
#[cfg(test)]
pub(crate) async fn embedded_broker(address: std::net::SocketAddr) -> embedded_kafka::Broker {
    let settings = embedded_kafka::Settings { topics: embedded(), ..Default::default() };
    embedded_kafka::Broker::start(address, settings).await.unwrap()
}

/// Creates the missing topics as soon as the brokers are ready.
async fn make_within(kafka: &kafka::Settings, wait: Duration) -> anyhow::Result<Vec<Topic>> {
    let end = Instant::now() + wait;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match make(kafka, BROKER_TIMEOUT.min(left).max(PAUSE)).await {
            Err(error) if is_temporary(&error) && !left.is_zero() => sleep(PAUSE.min(left)).await,
            done => return done,
        }
    }
}

/// Whether the error may go away once the brokers have started.
fn is_temporary(error: &anyhow::Error) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.chain().find_map(|cause| {
        let kafka = cause.downcast_ref::<KafkaError>().and_then(KafkaError::rdkafka_error_code);
        kafka.or_else(|| cause.downcast_ref().copied())
    });
    matches!(
        code,
        Some(
            Code::AllBrokersDown
                | Code::BrokerNotAvailable
                | Code::BrokerTransportFailure
                | Code::InvalidReplicationFactor // fewer brokers than replicas so far
                | Code::LeaderNotAvailable
                | Code::NetworkException
                | Code::NotController
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::Resolve
        )
    )
}

/// Creates the missing topics.
///
/// # Errors
/// No broker answers in time, or a broker refuses.
pub(crate) async fn make(
    kafka: &kafka::Settings,
    patience: Duration,
) -> anyhow::Result<Vec<Topic>> {
    make_these(all(), kafka, patience).await
}

async fn make_these(
    mut topics: Vec<Topic>,
    kafka: &kafka::Settings,
    patience: Duration,
) -> anyhow::Result<Vec<Topic>> {
    let brokers = &kafka.brokers;
    let mut config = ClientConfig::new();
    kafka.secure(&mut config);
    config.set("bootstrap.servers", brokers).set("client.id", "mesh-topics");
    config.set("reconnect.backoff.max.ms", "500").set("allow.auto.create.topics", "false");
    let connection_errors = ConnectionErrors::of(&mut config);
    let admin: AdminClient<ConnectionErrors> =
        config.create_with_context(connection_errors.clone())?;
    let unreachable = || connection_errors.explain(brokers);
    // The client requires a group name; it does not join the group.
    config.set("group.id", "mesh-topics");
    let consumer = config.create_with_context(connection_errors.clone())?;
    let metadata = metadata(&consumer, brokers, patience)?;
    for topic in &mut topics {
        let there = metadata.topics().iter().find(|there| there.name() == topic.name);
        topic.there = there.and_then(|there| i32::try_from(there.partitions().len()).ok());
    }
    let missing = topics.iter().filter(|topic| topic.there.is_none());
    let missing: Vec<_> =
        missing.map(|topic| NewTopic::new(&topic.name, topic.partitions, REPLICATION)).collect();
    if missing.is_empty() {
        return Ok(topics);
    }
    let options = AdminOptions::new().request_timeout(Some(patience));
    for result in admin.create_topics(&missing, &options).await.with_context(unreachable)? {
        match result {
            // Another process has created it in the meantime.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(code).with_context(|| format!("cannot make topic {topic}"));
            }
        }
    }
    drop(missing);
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_one_for_its_dead_letters() {
        let all = all();
        assert_eq!(all.len(), 2 * topics::ALL.len());
        assert!(all.contains(&Topic::new("orders.events", 3)));
        assert!(all.contains(&Topic::new("orders.events.dlq", 1)));
    }

    fn at(brokers: &str) -> kafka::Settings {
        kafka::Settings { brokers: brokers.into(), ..kafka::Settings::default() }
    }

    // Reading the topics blocks a thread, and the broker needs another.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_missing_is_made_and_what_is_there_stays_as_it_is() {
        let broker = embedded_broker(([127, 0, 0, 1], 0).into()).await;
        let kafka = at(broker.bootstrap_servers());
        let wanted = |partitions| vec![Topic::new("teapots", partitions)];
        let make = |partitions| make_these(wanted(partitions), &kafka, BROKER_TIMEOUT);
        assert_eq!(make(2).await.unwrap()[0].there, None);
        assert_eq!(make(2).await.unwrap()[0].there, Some(2));
        assert_eq!(make(9).await.unwrap()[0].there, Some(2));
        let again = make_within(&kafka, BROKER_TIMEOUT).await.unwrap();
        assert!(again.iter().all(|topic| topic.there == Some(topic.partitions)), "{again:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_starts_late_is_waited_for_and_one_that_never_does_is_named() {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = probe.local_addr().unwrap();
        drop(probe);
        let brokers = address.to_string();
        let error = make_within(&at(&brokers), PAUSE).await.unwrap_err();
        assert!(format!("{error:#}").starts_with(&format!("no answer from Kafka at {brokers}")));
        let late = async {
            sleep(2 * PAUSE).await;
            embedded_broker(address).await
        };
        let (_broker, made) = tokio::join!(late, make_elsewhere(brokers));
        assert_eq!(made.len(), 2 * topics::ALL.len());
    }

    /// Runs on a thread of its own, because reading the topics blocks.
    async fn make_elsewhere(brokers: String) -> Vec<Topic> {
        let ask = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(make_within(&at(&brokers), BROKER_TIMEOUT)).unwrap()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }
}
