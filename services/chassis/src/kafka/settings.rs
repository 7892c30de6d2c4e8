//! The settings of Kafka: how to reach the brokers, and how to handle events.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use serde::{Deserialize, Serialize};

use super::security::{self, Sasl, Tls};

/// Kafka, which carries the durable events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Addresses of brokers to begin with, `host:port` with commas between.
    pub brokers: String,
    /// `real` for Apache Kafka; `embedded` for the broker that `mesh up` holds in memory.
    pub profile: Profile,
    /// TLS to the brokers.
    pub tls: Tls,
    /// The login to the brokers.
    pub sasl: Sasl,
    /// The id of the log that the brokers keep; the cluster's own id if empty. An embedded broker gets a new id each time it is
    /// made: what was sent to another log is sent again.
    pub log_id: String,
    /// How long a group waits for a silent member before others take over its partitions. `0s` means the profile's default: 45 s,
    /// or 2 s for the embedded broker.
    #[serde(with = "humantime_serde")]
    pub session_timeout: Duration,
    /// How many events a process handles at once, each of another key, shared evenly by its partitions. A partition is paused
    /// when eight times its share were fetched.
    pub concurrency: usize,
    /// How often an event is tried before it becomes a dead letter, the first time included.
    pub attempts: u32,
    /// The longest pause before the second attempt. It doubles with each further attempt; the pause is random, up to that.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// The longest pause between two attempts.
    #[serde(with = "humantime_serde")]
    pub backoff_cap: Duration,
    /// How long one attempt may take.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
    /// Most events of one batch.
    pub batch: usize,
    /// How long a batch waits for more events.
    #[serde(with = "humantime_serde")]
    pub batch_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            profile: Profile::Real,
            tls: Tls::default(),
            sasl: Sasl::default(),
            log_id: String::new(),
            session_timeout: Duration::ZERO,
            concurrency: 128,
            attempts: 8,
            backoff: Duration::from_millis(50),
            backoff_cap: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
            batch: 64,
            batch_wait: Duration::from_millis(5),
        }
    }
}

/// Checks the addresses of brokers. Returns what is wrong with them.
pub(crate) fn check(brokers: &str) -> Result<(), String> {
    let fits = |part: &str| {
        // The client also accepts a protocol before the address.
        let address = part.rsplit_once("://").map_or(part, |(_, address)| address).trim();
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (address, None),
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte);
        !host.is_empty()
            && host.bytes().all(named)
            && (host.starts_with('[') || !host.contains(':'))
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
            && part
                .rsplit_once("://")
                .is_none_or(|(protocol, _)| PROTOCOLS.contains(&protocol.trim()))
    };
    if brokers.split(',').all(fits) {
        return Ok(());
    }
    Err("not the addresses of Kafka brokers; expected host:port, several with commas".into())
}

/// <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>: `security.protocol`.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The kind of brokers: each needs other timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The broker in the supervisor's process: it is on this machine, and loses its records with each restart.
    Embedded,
    /// Apache Kafka.
    Real,
}

type Pairs = &'static [(&'static str, &'static str)];

/// The names of the settings: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>
impl Profile {
    fn pairs(self) -> Pairs {
        match self {
            Self::Embedded => &[
                ("broker.address.family", "v4"),
                ("reconnect.backoff.ms", "50"),
                ("reconnect.backoff.max.ms", "500"),
            ],
            Self::Real => &[("reconnect.backoff.ms", "100"), ("reconnect.backoff.max.ms", "2000")],
        }
    }

    /// The session timeout. It is short for the embedded broker: on one machine, a client that is silent for longer is dead.
    fn session(self) -> Duration {
        match self {
            Self::Embedded => Duration::from_secs(2),
            Self::Real => Duration::from_secs(45),
        }
    }
}

/// Kafka's default interval of heartbeats. Shorter sessions have more frequent ones, so that they survive the loss of three.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long a partition that moves waits for its handlers. One that takes longer usually waits for a third party; its event is
/// delivered again.
const HAND_OVER: Duration = Duration::from_secs(5);

/// The client commits the offsets that the dispatcher stores after the effect. After a crash, what was handled since the last
/// commit is delivered again. A new group, and one whose offset is gone, begins with the oldest record. Prefetching is limited, because the process' memory is. The client checks often whether too little is prefetched: by
/// default it leaves a partition with enough records alone for a second, and would fetch nothing more of a backlog in that time.
///
/// Checksums are verified, in hardware: a damaged record must not look like another one.
///
/// A record ends the wait of a fetch at once. A partition that is newly assigned, or fetched again, waits for the end of the fetch
/// under way; without records, each fetch costs CPU time on both sides.
const CONSUMER: Pairs = &[
    ("enable.auto.commit", "true"),
    ("auto.commit.interval.ms", "250"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("allow.auto.create.topics", "false"),
    ("fetch.wait.max.ms", "200"),
    ("fetch.error.backoff.ms", "50"),
    ("check.crcs", "true"),
    ("max.partition.fetch.bytes", "65536"),
    ("fetch.max.bytes", "1000000"),
    ("fetch.queue.backoff.ms", "10"),
    ("queued.min.messages", "100"),
    ("queued.max.messages.kbytes", "1024"),
    ("statistics.interval.ms", "1000"),
];

/// Largest record, its key and headers included, that a client sends. Kafka's default limit for a batch is 1,048,588 bytes.
pub(crate) const MESSAGE_MAX: usize = 1_000_000;

/// Records never time out: the outbox waits through an outage, and if one record were given up, later ones of its key would
/// overtake it. A missing topic is reported after 2 s instead of 30 s, because the outbox waits for its acknowledgements.
const PRODUCER: Pairs = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("topic.metadata.propagation.max.ms", "2000"),
    ("message.timeout.ms", "0"),
    ("linger.ms", "0"),
    ("queue.buffering.max.kbytes", "16384"),
];

impl Settings {
    fn client(&self, service: &str, parts: &[Pairs]) -> ClientConfig {
        let mut config = ClientConfig::new();
        // By default the client takes the level from the `log` crate, which has no logger here.
        config.set_log_level(RDKafkaLogLevel::Warning);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", service)
            .set("log.connection.close", "false");
        self.secure(&mut config);
        for (name, value) in parts.iter().copied().flatten() {
            config.set(*name, *value);
        }
        config
    }

    /// Adds TLS and the login to the configuration of a client that was made elsewhere.
    pub fn secure(&self, config: &mut ClientConfig) {
        security::apply(&self.tls, &self.sasl, config);
    }

    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client(group, &[self.profile.pairs(), CONSUMER]);
        let (session, heartbeat) = (self.session(), HEARTBEAT.min(self.session() / 4));
        config
            .set("group.id", group)
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", heartbeat.as_millis().to_string());
        config
    }

    fn session(&self) -> Duration {
        if self.session_timeout.is_zero() { self.profile.session() } else { self.session_timeout }
    }

    /// How long a partition that moves to another replica waits for what is in flight: at most half a session.
    pub(crate) fn hand_over(&self) -> Duration {
        HAND_OVER.min(self.session() / 2)
    }

    pub(crate) fn producer(&self, service: &str) -> ClientConfig {
        let mut config = self.client(service, &[self.profile.pairs(), PRODUCER]);
        config.set("message.max.bytes", MESSAGE_MAX.to_string());
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(settings: &Settings) -> (String, String, u128) {
        let config = settings.consumer("orders");
        let value = |name| config.get(name).unwrap_or_default().to_owned();
        (
            value("session.timeout.ms"),
            value("heartbeat.interval.ms"),
            settings.hand_over().as_millis(),
        )
    }

    #[test]
    fn heartbeats_and_the_time_to_hand_over_fit_into_a_session() {
        let real = Settings::default();
        let embedded = Settings { profile: Profile::Embedded, ..Settings::default() };
        let short = Settings { session_timeout: Duration::from_secs(6), ..Settings::default() };
        assert_eq!(timing(&real), ("45000".into(), "3000".into(), 5000));
        assert_eq!(timing(&embedded), ("2000".into(), "500".into(), 1000));
        assert_eq!(timing(&short), ("6000".into(), "1500".into(), 3000));
    }
}
