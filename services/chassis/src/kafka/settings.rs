//! How Kafka is reached, and how its events are handled.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use serde::{Deserialize, Serialize};

use super::security::{self, Sasl, Tls};

/// Durable events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Addresses of brokers to begin with, `host:port` with commas between.
    pub brokers: String,
    /// `real` for Apache Kafka; `embedded` for the broker that `mesh up` holds in memory.
    pub profile: Profile,
    /// TLS to the brokers.
    pub tls: Tls,
    /// As whom to log in to them.
    pub sasl: Sasl,
    /// Which log the brokers keep; the cluster's own id if empty. Whoever embeds a broker gives each a new one: what was sent to
    /// another log is sent again.
    pub log_id: String,
    /// How long a group waits for a member that fell silent before others take over its partitions; `0s` is what suits the
    /// profile: 45 s, or 2 s where the broker is embedded.
    #[serde(with = "humantime_serde")]
    pub session_timeout: Duration,
    /// How many events a process handles at once, each of another key, shared evenly by its partitions. A partition is paused
    /// when eight times its share were fetched.
    pub concurrency: usize,
    /// How often an event is tried before it becomes a dead letter, the first time included.
    pub attempts: u32,
    /// The longest pause before the second attempt; it doubles with each, and is chosen at random below that.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// What the pause between attempts never exceeds.
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

/// What is wrong with the addresses of brokers.
pub(crate) fn check(brokers: &str) -> Result<(), String> {
    let fits = |part: &str| {
        // The client takes a protocol before the address, too.
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

/// What kind of brokers: they need other timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The broker in the supervisor's process: on this machine, and begun anew with each start.
    Embedded,
    /// Apache Kafka.
    Real,
}

type Pairs = &'static [(&'static str, &'static str)];

/// Names: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>
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

    /// On one machine nothing is silent for long but what is dead.
    fn session(self) -> Duration {
        match self {
            Self::Embedded => Duration::from_secs(2),
            Self::Real => Duration::from_secs(45),
        }
    }
}

/// Heartbeats of Kafka's own default; more often where a session is so short that it would not survive the loss of three.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Handlers that take longer than this are those that wait for somebody; their events are delivered again.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Offsets are committed by us alone, after the effect. A new group begins with what is kept, and so does one whose offset is gone.
/// What is fetched ahead is bounded: the process' memory is. Whether it has become too little is looked at often: by default a
/// partition with enough of it rests for a second, which would be all that it takes of a backlog in that time.
///
/// Checksums are checked, in hardware: a damaged record must not look like another one.
///
/// A record ends the wait of a fetch at once; a partition that is new to a consumer waits for the end of the fetch under way.
const CONSUMER: Pairs = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("allow.auto.create.topics", "false"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "50"),
    ("check.crcs", "true"),
    ("max.partition.fetch.bytes", "65536"),
    ("fetch.max.bytes", "1000000"),
    ("fetch.queue.backoff.ms", "10"),
    ("queued.min.messages", "100"),
    ("queued.max.messages.kbytes", "1024"),
    ("statistics.interval.ms", "1000"),
];

/// Largest record, with its key and headers, that is handed to a broker. Kafka's own limit for a batch is 1,048,588 by default.
pub(crate) const MESSAGE_MAX: usize = 1_000_000;

/// Nothing is given up: the outbox waits through an outage, and giving up one record would let later ones of its key overtake it.
/// A topic that is not there is said to be so after two seconds instead of thirty: the outbox waits for its acknowledgements.
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
        // By default it asks the `log` crate, which nobody listens to here.
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

    /// Lets a client of another making speak to the brokers as all others do: over TLS, as the same user.
    pub fn secure(&self, config: &mut ClientConfig) {
        security::apply(&self.tls, &self.sasl, config);
    }

    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
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

    /// How long a partition that moves to another replica waits for what is in flight: well within one session.
    pub(super) fn hand_over(&self) -> Duration {
        HAND_OVER.min(self.session() / 2)
    }

    pub(super) fn producer(&self, service: &str) -> ClientConfig {
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
