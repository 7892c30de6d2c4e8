//! One consumer group: who is in it, and how it agrees on who reads what.
//!
//! ```text
//!              join                all have joined             the leader has decided
//!  Empty ─────────────▶ Preparing ─────────────────▶ Completing ─────────────────▶ Stable
//!    ▲                     ▲ ▲                            │                          │
//!    └── the last is gone ─┘ └───── somebody comes, goes or falls silent ────────────┘
//! ```
//!
//! The classic protocol: <https://cwiki.apache.org/confluence/x/IQQHBQ>. Deliberately absent: static members, and waiting
//! for more members when the first one comes.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::{sync::oneshot, time::Instant};

/// More replicas than anybody starts here.
const MOST_MEMBERS: usize = 500;

/// Where an answer goes that must wait for others.
pub(super) type Later<T> = oneshot::Sender<Result<T, ResponseError>>;

/// What somebody who joins brings along.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) id: String,
    pub(super) client: String,
    pub(super) host: String,
    pub(super) session: Duration,
    pub(super) rebalance: Duration,
    pub(super) kind: String,
    /// Ways to share partitions out, the preferred one first, each with what the leader must know for it.
    pub(super) protocols: Vec<(String, Bytes)>,
}

/// What a member is told once all have joined.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    pub(super) generation: i32,
    pub(super) protocol: String,
    pub(super) leader: String,
    pub(super) member: String,
    /// All of them, for the leader.
    pub(super) members: Vec<(String, Bytes)>,
}

pub(super) struct Member {
    pub(super) about: Newcomer,
    pub(super) assignment: Bytes,
    /// When it is taken for dead.
    expires: Instant,
    joining: Option<Later<Joined>>,
    syncing: Option<Later<Bytes>>,
}

impl Member {
    /// Whether it waits for the others to join; whoever has hung up does not.
    fn has_joined(&self) -> bool {
        self.joining.as_ref().is_some_and(|waiting| !waiting.is_closed())
    }

    /// Whether it is held up by others: then its silence is not its own.
    fn waits(&self) -> bool {
        self.has_joined() || self.syncing.as_ref().is_some_and(|waiting| !waiting.is_closed())
    }

    fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.about.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Empty,
    Preparing {
        until: Instant,
    },
    Completing,
    Stable,
}

#[derive(Default)]
pub(super) struct Group {
    pub(super) state: State,
    pub(super) generation: i32,
    pub(super) protocol: String,
    pub(super) members: BTreeMap<String, Member>,
    leader: String,
    /// Ids that were given to clients that have not used them yet, and until when they may.
    promised: BTreeMap<String, Instant>,
}

impl Group {
    /// An id for a client that has none.
    pub(super) fn promise(&mut self, id: String, until: Instant) -> Result<(), ResponseError> {
        if self.members.len() + self.promised.len() >= MOST_MEMBERS {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        self.promised.insert(id, until);
        Ok(())
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_forgettable(&self) -> bool {
        self.generation == 0 && self.members.is_empty() && self.promised.is_empty()
    }

    /// The kind of its protocols.
    pub(super) fn kind(&self) -> &str {
        self.members.values().next().map_or("", |member| &member.about.kind)
    }

    pub(super) fn join(&mut self, who: Newcomer, later: Later<Joined>, now: Instant) {
        if let Err(error) = self.may_join(&who) {
            return reply(later, Err(error));
        }
        let id = who.id.clone();
        self.promised.remove(&id);
        let unchanged =
            self.members.get(&id).is_some_and(|member| member.about.protocols == who.protocols);
        let settled = match self.state {
            State::Stable => unchanged && id != self.leader,
            State::Completing => unchanged,
            State::Empty | State::Preparing { .. } => false,
        };
        let before = self.members.remove(&id);
        let mut member = Member {
            expires: now + who.session,
            about: who,
            assignment: before.map(|member| member.assignment).unwrap_or_default(),
            joining: None,
            syncing: None,
        };
        if settled {
            self.members.insert(id.clone(), member);
            return reply(later, Ok(self.joined(&id)));
        }
        member.joining = Some(later);
        self.members.insert(id, member);
        self.prepare(now);
        self.complete_if_all_have_joined(now);
    }

    fn may_join(&self, who: &Newcomer) -> Result<(), ResponseError> {
        if !self.members.contains_key(&who.id) && !self.promised.contains_key(&who.id) {
            return Err(ResponseError::UnknownMemberId);
        }
        let others = || self.members.values().filter(|member| member.about.id != who.id);
        let is_common = |name: &str| {
            others().all(|member| member.about.protocols.iter().any(|(other, _)| other == name))
        };
        let fits = others().all(|member| member.about.kind == who.kind)
            && who.protocols.iter().any(|(name, _)| is_common(name));
        if fits { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    /// What a member gets to do; the leader says it for all of them.
    pub(super) fn sync(
        &mut self,
        id: &str,
        generation: i32,
        decided: Vec<(String, Bytes)>,
        later: Later<Bytes>,
        now: Instant,
    ) {
        if let Err(error) = self.check(id, generation, now) {
            return reply(later, Err(error));
        }
        let Some(member) = self.members.get_mut(id) else { return };
        match self.state {
            State::Stable => reply(later, Ok(member.assignment.clone())),
            State::Completing => {
                member.syncing = Some(later);
                if self.leader == id {
                    self.settle(decided, now);
                }
            }
            State::Empty | State::Preparing { .. } => {
                reply(later, Err(ResponseError::RebalanceInProgress));
            }
        }
    }

    fn settle(&mut self, decided: Vec<(String, Bytes)>, now: Instant) {
        let mut decided: BTreeMap<_, _> = decided.into_iter().collect();
        self.state = State::Stable;
        for (id, member) in &mut self.members {
            member.assignment = decided.remove(id).unwrap_or_default();
            if let Some(later) = member.syncing.take() {
                member.expires = now + member.about.session;
                reply(later, Ok(member.assignment.clone()));
            }
        }
    }

    /// A member is alive.
    pub(super) fn heartbeat(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check(id, generation, now)?;
        match self.state {
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Completing | State::Stable => Ok(()),
        }
    }

    /// Whether somebody may commit: a member of this generation, or anybody as long as there are no members.
    pub(super) fn may_commit(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && id.is_empty() && self.members.is_empty() {
            return Ok(());
        }
        self.check(id, generation, now)?;
        if self.state == State::Completing {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    fn check(&mut self, id: &str, generation: i32, now: Instant) -> Result<(), ResponseError> {
        let member = self.members.get_mut(id).ok_or(ResponseError::UnknownMemberId)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.expires = now + member.about.session;
        Ok(())
    }

    pub(super) fn leave(&mut self, id: &str, now: Instant) -> Result<(), ResponseError> {
        if self.promised.remove(id).is_some() {
            return Ok(());
        }
        self.members.remove(id).ok_or(ResponseError::UnknownMemberId)?;
        self.go_on_without(now);
        Ok(())
    }

    /// What only time brings about: silent members are removed, and a rebalance does not wait for ever.
    pub(super) fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, until| *until > now);
        let before = self.members.len();
        self.members.retain(|_, member| member.waits() || member.expires > now);
        if self.members.len() != before {
            self.go_on_without(now);
        }
        if let State::Preparing { until } = self.state
            && until <= now
        {
            self.members.retain(|_, member| member.has_joined());
            self.complete(now);
        }
    }

    fn go_on_without(&mut self, now: Instant) {
        self.prepare(now);
        self.complete_if_all_have_joined(now);
    }

    /// Begins a rebalance unless there is one: everybody must join anew.
    fn prepare(&mut self, now: Instant) {
        if let State::Preparing { .. } = self.state {
            return;
        }
        let patience = self.members.values().map(|member| member.about.rebalance).max();
        self.state = State::Preparing { until: now + patience.unwrap_or_default() };
        for later in self.members.values_mut().filter_map(|member| member.syncing.take()) {
            reply(later, Err(ResponseError::RebalanceInProgress));
        }
    }

    fn complete_if_all_have_joined(&mut self, now: Instant) {
        if self.members.values().all(Member::has_joined) {
            self.complete(now);
        }
    }

    fn complete(&mut self, now: Instant) {
        self.generation = self.generation.wrapping_add(1).max(1);
        let Some(first) = self.members.keys().next() else {
            self.state = State::Empty;
            return;
        };
        if !self.members.contains_key(&self.leader) {
            self.leader = first.clone();
        }
        self.protocol = self.chosen();
        self.state = State::Completing;
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.expires = now + member.about.session;
                if let Some(later) = member.joining.take() {
                    reply(later, Ok(joined));
                }
            }
        }
    }

    fn joined(&self, id: &str) -> Joined {
        let members = self.members.iter();
        let members = members.map(|(id, member)| (id.clone(), member.metadata(&self.protocol)));
        Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: id.to_owned(),
            members: if id == self.leader { members.collect() } else { Vec::new() },
        }
    }

    /// What everybody can do and most prefer.
    fn chosen(&self) -> String {
        let offers =
            |member: &Member, name: &str| member.about.protocols.iter().any(|(one, _)| one == name);
        let is_common = |name: &str| self.members.values().all(|member| offers(member, name));
        let mut votes = BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            let names = member.about.protocols.iter().map(|(name, _)| name.as_str());
            if let Some(name) = names.into_iter().find(|name| is_common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
        most.map(|(name, _)| name.to_owned()).unwrap_or_default()
    }
}

/// Whoever asked may have hung up meanwhile.
fn reply<T>(later: Later<T>, answer: Result<T, ResponseError>) {
    later.send(answer).ok();
}

#[cfg(test)]
mod tests;
