//! Every limit of the broker. [`Settings::limit`](crate::Settings) and [`Settings::group_expiry`](crate::Settings) are the only
//! ones that can be changed: the others are for any client on one machine, and cost memory if they grow.

use std::time::Duration;

/// Connections: eight replicas of every service have 120. Beyond it, the connection that was silent for longest is closed.
pub const MAX_CONNECTIONS: usize = 500;
/// The memory of all large requests and of all answers that clients have not read yet, in bytes.
pub const MAX_IN_FLIGHT: usize = 32 << 20;
/// A request that is read as a whole, in bytes. Larger requests to produce are read batch by batch.
pub const MAX_REQUEST: usize = 512 << 10;
/// A request to produce, in bytes: the default of Kafka's own `socket.request.max.bytes`.
pub const MAX_PRODUCE_REQUEST: usize = 100 << 20;
/// The partitions in one large request to produce: far more than there can be.
pub const MAX_PRODUCE_PARTITIONS: usize = 10_000;
/// A batch of records, in bytes: the default of Kafka's own `message.max.bytes`.
pub const MAX_BATCH: usize = 1_048_588;
/// One answer to a fetch in bytes, whatever the client asks for.
pub const MAX_FETCH: usize = 4 << 20;
/// The wait of a fetch, longer than any client asks for.
pub const MAX_FETCH_WAIT: Duration = Duration::from_secs(60);
/// How long a client may take to send the rest of a request.
pub const READ_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer: meanwhile, its memory is not free for other connections.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Topics: far more than a user who tries things out needs; each topic costs memory.
pub const MAX_TOPICS: usize = 200;
/// Partitions of one topic.
pub const MAX_TOPIC_PARTITIONS: usize = 64;
/// Partitions of all topics together.
pub const MAX_PARTITIONS: usize = 2_000;
/// The name of a topic, in bytes: Kafka's own limit.
pub const MAX_TOPIC_NAME: usize = 249;
/// The bytes that a partition keeps although all its groups have read them, for groups that come later.
pub const KEPT_CONSUMED: usize = 1 << 20;
/// The bytes that a partition with [`Retention::Budget`](crate::Retention) keeps.
pub const KEPT_BUDGET: usize = 16 << 20;
/// Idempotent producers that a partition remembers; the one that was silent for longest is forgotten first.
pub const MAX_PRODUCERS: usize = 200;

/// Groups, far more than a user who tries things out needs.
pub const MAX_GROUPS: usize = 500;
/// Members of one group: more replicas than a user starts on one machine.
pub const MAX_GROUP_MEMBERS: usize = 500;
/// Members of all foreign groups together.
pub const MAX_MEMBERS: usize = 2_000;
/// What these members send as metadata, in bytes.
pub const MAX_MEMBER_METADATA: usize = 16 << 20;
/// The name of a group, a member or a client, in bytes.
pub const MAX_NAME: usize = 1_000;
/// The session of a member: the default of Kafka's own `group.max.session.timeout.ms`.
pub const MAX_SESSION: Duration = Duration::from_secs(30 * 60);
/// The offsets of foreign groups, in bytes.
pub const MAX_OFFSETS: usize = 8 << 20;
/// The metadata of an offset in UTF-16 units: the default of Kafka's own `offset.metadata.max.bytes`.
pub const MAX_OFFSET_METADATA: usize = 4096;

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_lists_every_limit() {
        let readme = include_str!("../README.md");
        let names = include_str!("limits.rs").lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("pub const ")?.split_once(':')?;
            Some(format!("`{name}`"))
        });
        let missing: Vec<_> = names.filter(|name| !readme.contains(name)).collect();
        assert_eq!(missing, [""; 0]);
    }
}
