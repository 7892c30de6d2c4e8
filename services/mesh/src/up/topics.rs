//! Topics on brokers that are not embedded: a broker that makes them at their first use gives them too few partitions.

use std::time::Duration;

use anyhow::Context;
use proto::topics;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode::TopicAlreadyExists,
};

/// A broker that is there answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// As many copies of each record as the brokers have by default.
const REPLICATION: TopicReplication<'_> = TopicReplication::Fixed(-1);
/// Dead letters are read by people.
const DEAD_LETTER_PARTITIONS: i32 = 1;

/// Makes the topics that are missing.
///
/// # Errors
/// No broker answers, or it refuses.
pub(super) async fn make(brokers: &str) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("client.id", "mesh-up").set("log_level", "0");
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let all = all();
    let new = all.iter().map(|(name, partitions)| NewTopic::new(name, *partitions, REPLICATION));
    let new: Vec<_> = new.collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let made = admin.create_topics(&new, &options).await;
    for result in made.with_context(|| format!("no answer from Kafka at {brokers}"))? {
        match result {
            Ok(_) | Err((_, TopicAlreadyExists)) => {}
            Err((topic, code)) => anyhow::bail!("cannot make topic {topic}: {code}"),
        }
    }
    Ok(())
}

fn all() -> Vec<(String, i32)> {
    let dead =
        |topic: &str| (format!("{topic}{}", topics::DEAD_LETTER_SUFFIX), DEAD_LETTER_PARTITIONS);
    topics::ALL
        .iter()
        .flat_map(|topic| [((*topic).to_owned(), topics::PARTITIONS), dead(topic)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_one_for_its_dead_letters() {
        let all = all();
        assert_eq!(all.len(), 2 * topics::ALL.len());
        assert!(
            all.contains(&("orders.events".into(), 3))
                && all.contains(&("orders.events.dlq".into(), 1))
        );
    }
}
