//! One member of a group.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::{sync::oneshot, time::Instant};

/// Sends an answer that must wait for other members.
pub(in super::super) type Later<T> = oneshot::Sender<Result<T, ResponseError>>;

/// What a client sends when it joins.
#[derive(Debug)]
pub(in super::super) struct Newcomer {
    pub(in super::super) id: String,
    /// The name of a static member: it keeps its place when it comes back with another id.
    pub(in super::super) instance: Option<String>,
    pub(in super::super) client: String,
    pub(in super::super) host: String,
    pub(in super::super) session: Duration,
    pub(in super::super) rebalance: Duration,
    pub(in super::super) kind: String,
    /// The assignment strategies that the client supports, the preferred one first, each with its metadata for the leader.
    pub(in super::super) protocols: Vec<(String, Bytes)>,
}

/// The member that a request says it is from.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Identity<'a> {
    pub(in super::super) id: &'a str,
    pub(in super::super) instance: Option<&'a str>,
    pub(in super::super) generation: i32,
}

/// The answer to a member once all have joined.
#[derive(Clone, Debug)]
pub(in super::super) struct Joined {
    pub(in super::super) generation: i32,
    pub(in super::super) protocol: String,
    pub(in super::super) leader: String,
    pub(in super::super) member: String,
    /// The leader that this member replaces: the assignment stays as it was, and the member must not compute a new one.
    pub(in super::super) instead_of: Option<String>,
    /// All members; empty for every member but the leader.
    pub(in super::super) members: Vec<Listed>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug)]
pub(in super::super) struct Listed {
    pub(in super::super) id: String,
    pub(in super::super) instance: Option<String>,
    pub(in super::super) metadata: Bytes,
}

pub(in super::super) struct Member {
    pub(in super::super) about: Newcomer,
    pub(in super::super) assignment: Bytes,
    /// When the member is considered dead.
    pub(super) expires: Instant,
    pub(super) joining: Option<Later<Joined>>,
    pub(super) syncing: Option<Later<Bytes>>,
}

impl Member {
    pub(super) fn new(about: Newcomer, now: Instant) -> Self {
        let expires = now + about.session;
        Self { about, expires, assignment: Bytes::new(), joining: None, syncing: None }
    }

    /// Whether it waits for the others to join; a client that has disconnected does not.
    pub(super) fn has_joined(&self) -> bool {
        self.joining.as_ref().is_some_and(|waiting| !waiting.is_closed())
    }

    /// Whether it waits for other members: then it cannot send heartbeats, and its silence does not count.
    pub(super) fn waits(&self) -> bool {
        self.has_joined() || self.syncing.as_ref().is_some_and(|waiting| !waiting.is_closed())
    }

    pub(in super::super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.about.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// The bytes that it takes.
    pub(super) fn size(&self) -> usize {
        let protocols = self.about.protocols.iter();
        let protocols: usize = protocols.map(|(name, metadata)| name.len() + metadata.len()).sum();
        size_of::<Self>() + protocols + self.assignment.len()
    }

    /// Answers its pending requests with an error: another client has taken its place.
    pub(super) fn fence(self) {
        if let Some(later) = self.joining {
            reply(later, Err(ResponseError::FencedInstanceId));
        }
        if let Some(later) = self.syncing {
            reply(later, Err(ResponseError::FencedInstanceId));
        }
    }
}

/// Sends an answer; the client that asked may have disconnected meanwhile.
pub(super) fn reply<T>(later: Later<T>, answer: Result<T, ResponseError>) {
    later.send(answer).ok();
}
