//! Consumer groups: their lag as the services measure it, and as Kafka has it where no service does.

use std::collections::{BTreeMap, BTreeSet};

use chassis::Error;
use event_log::{Client, Member, Reader, Topic};
use promql::{Labels, Options, Query, Value};
use timeseries::Store;

/// How long ago a service may have measured its lag, to be asked for in Kafka now.
const KNOWN: &str = "group by (group, topic) (last_over_time(mesh_consumer_lag[30m]))";
const LAG: &str = "max by (group, topic, partition, instance) (mesh_consumer_lag)";
const OLDEST: &str = "max by (group, topic) (mesh_consumer_oldest_age_seconds)";
const RATE: &str = "sum by (messaging_destination_name) \
                    (rate(messaging_client_operation_duration_seconds_count[1m]))";

/// Groups without members that are looked up in Kafka, each with a connection of its own.
const MOST_LOOKUPS: usize = 8;

/// One group that reads one topic.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) topic: String,
    /// The state in Kafka's words; `None` if Kafka knows no such group.
    pub(crate) state: Option<String>,
    pub(crate) members: Vec<(String, String)>,
    pub(crate) partitions: Vec<Lag>,
    pub(crate) oldest_age_seconds: Option<f64>,
}

/// The lag of one partition.
pub(crate) struct Lag {
    pub(crate) partition: i32,
    pub(crate) records: i64,
    /// The process that reads the partition; `None` if none does, and the lag is what Kafka says.
    pub(crate) instance: Option<String>,
}

/// The lags of groups, by topic and name.
type Lags = BTreeMap<(String, String), Vec<Lag>>;

/// All groups that services measure or have measured, ordered by topic and name.
pub(crate) fn all(
    client: &Client,
    reader: &Reader,
    topics: &[Topic],
    series: &Store,
    now_ms: i64,
) -> Result<Vec<Group>, Error> {
    let described: BTreeMap<_, _> =
        reader.groups()?.into_iter().map(|group| (group.name.clone(), group)).collect();
    let mut lags = Lags::new();
    for (labels, value) in vector(series, LAG, now_ms) {
        let Ok(partition) = labels.get("partition").parse() else { continue };
        let instance = Some(labels.get("instance").to_owned());
        let lag = Lag { partition, records: value as i64, instance };
        lags.entry(pair(&labels)).or_default().push(lag);
    }
    let known = vector(series, KNOWN, now_ms).into_iter().map(|(labels, _)| pair(&labels));
    let silent: Vec<_> = known.filter(|pair| !lags.contains_key(pair)).collect();
    lags.extend(looked_up(client, topics, &silent)?);
    let ages = vector(series, OLDEST, now_ms);
    let groups = lags.into_iter().map(|((topic, name), mut partitions)| {
        partitions.sort_by(|a, b| (a.partition, &a.instance).cmp(&(b.partition, &b.instance)));
        let found = described.get(&name);
        let age = ages.iter().find(|(labels, _)| pair(labels) == (topic.clone(), name.clone()));
        Group {
            state: found.map(|group| group.state.clone()),
            members: found
                .map_or_else(Vec::new, |group| group.members.iter().map(member).collect()),
            oldest_age_seconds: age.map(|(_, seconds)| *seconds),
            partitions,
            topic,
            name,
        }
    });
    Ok(groups.collect())
}

/// The lags of groups that no process measures now, by what they have committed.
fn looked_up(
    client: &Client,
    topics: &[Topic],
    silent: &[(String, String)],
) -> Result<Lags, Error> {
    let names: BTreeSet<_> = silent.iter().map(|(_, group)| group).collect();
    let mut found = Lags::new();
    for name in names.into_iter().take(MOST_LOOKUPS) {
        let committed = client.committed(name, topics)?;
        for (topic, _) in silent.iter().filter(|(_, group)| group == name) {
            let partitions = topics.iter().filter(|one| one.name == *topic);
            let lags = partitions.flat_map(|one| &one.partitions).map(|one| {
                let next = committed.get(&(topic.clone(), one.partition)).copied();
                let records = (one.high - next.unwrap_or(one.low).max(one.low)).max(0);
                Lag { partition: one.partition, records, instance: None }
            });
            found.insert((topic.clone(), name.clone()), lags.collect());
        }
    }
    Ok(found)
}

/// The records that are sent to each topic in a second.
pub(crate) fn rates(series: &Store, now_ms: i64) -> Vec<(String, f64)> {
    let rates = vector(series, RATE, now_ms).into_iter();
    rates
        .map(|(labels, rate)| (labels.get("messaging_destination_name").to_owned(), rate))
        .collect()
}

fn pair(labels: &Labels) -> (String, String) {
    (labels.get("topic").to_owned(), labels.get("group").to_owned())
}

fn member(member: &Member) -> (String, String) {
    (member.client.clone(), member.host.clone())
}

/// The result of a query of ours; empty if lens has no such metrics.
fn vector(series: &Store, query: &str, now_ms: i64) -> Vec<(Labels, f64)> {
    let value =
        Query::parse(query).and_then(|query| query.instant(series, now_ms, &Options::default()));
    match value {
        Ok(Value::Vector(rows)) => {
            rows.into_iter().map(|(labels, sample)| (labels, sample.value)).collect()
        }
        Ok(_) => Vec::new(),
        Err(error) => {
            tracing::warn!(query, %error, "a query of lens' own failed");
            Vec::new()
        }
    }
}
