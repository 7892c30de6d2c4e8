//! One consumer group: its members, and how they agree on their assignment.
//!
//! ```text
//!              join                all have joined             the leader has decided
//!  Empty ─────────────▶ Preparing ─────────────────▶ Completing ─────────────────▶ Stable
//!    ▲                     ▲ ▲                            │                          │
//!    └── the last leaves ──┘ └───── a member joins, leaves or falls silent ──────────┘
//! ```
//!
//! The classic protocol: <https://cwiki.apache.org/confluence/x/IQQHBQ>, with static members:
//! <https://cwiki.apache.org/confluence/x/kIB1BQ>. Deliberately absent: waiting for more members when the first one comes.

mod admission;
mod member;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::time::Instant;

use super::limits::MAX_GROUP_MEMBERS;
use member::reply;
pub(super) use member::{Identity, Joined, Later, Listed, Member, Newcomer};

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
    /// The protocol type of its members, or of the last ones that it had.
    pub(super) kind: String,
    /// The current member id of each static member, by its instance name.
    instances: BTreeMap<String, String>,
    /// Member ids that were given to clients and not used yet, with the time at which each expires.
    promised: BTreeMap<String, Instant>,
    /// Whether offsets were committed for it.
    has_offsets: bool,
    /// Since when it has had no members; updated by `tick`.
    idle_since: Option<Instant>,
}

impl Group {
    /// Reserves a member id for a client that has none.
    pub(super) fn promise(&mut self, id: String, until: Instant) -> Result<(), ResponseError> {
        if self.len() >= MAX_GROUP_MEMBERS {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        self.promised.insert(id, until);
        Ok(())
    }

    /// The number of members, and of ids that are reserved for members.
    pub(super) fn len(&self) -> usize {
        self.members.len() + self.promised.len()
    }

    /// The bytes that its members take.
    pub(super) fn size(&self) -> usize {
        self.members.values().map(Member::size).sum()
    }

    /// Whether the group holds nothing that would be lost with it.
    pub(super) fn is_forgettable(&self) -> bool {
        self.generation == 0 && self.len() == 0 && !self.has_offsets
    }

    /// How long it has been without members; a commit from outside restarts the time.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        self.idle_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Notes that offsets were committed.
    pub(super) fn note_commit(&mut self) {
        (self.has_offsets, self.idle_since) = (true, None);
    }

    pub(super) fn join(&mut self, who: Newcomer, later: Later<Joined>, now: Instant) {
        if let Err(error) = self.may_join(&who) {
            return reply(later, Err(error));
        }
        let id = who.id.clone();
        self.promised.remove(&id);
        self.kind.clone_from(&who.kind);
        if let Some(instance) = who.instance.clone()
            && let Some(before) = self.instances.insert(instance, id.clone())
            && before != id
        {
            return self.replace(&before, who, later, now);
        }
        let unchanged =
            self.members.get(&id).is_some_and(|member| member.about.protocols == who.protocols);
        let settled = match self.state {
            State::Stable => unchanged && id != self.leader,
            State::Completing => unchanged,
            State::Empty | State::Preparing { .. } => false,
        };
        let before = self.members.remove(&id);
        let mut member = Member::new(who, now);
        member.assignment = before.map(|member| member.assignment).unwrap_or_default();
        if settled {
            self.members.insert(id.clone(), member);
            return reply(later, Ok(self.joined(&id)));
        }
        member.joining = Some(later);
        self.members.insert(id, member);
        self.go_on(now);
    }

    /// A static member is back with a new id: if nothing else has changed, it keeps its assignment.
    fn replace(&mut self, before: &str, who: Newcomer, later: Later<Joined>, now: Instant) {
        let id = who.id.clone();
        let mut member = Member::new(who, now);
        if let Some(old) = self.members.remove(before) {
            member.assignment = old.assignment.clone();
            old.fence();
        }
        let led = self.leader == before;
        if led {
            self.leader.clone_from(&id);
        }
        self.members.insert(id.clone(), member);
        if self.state == State::Stable && self.chosen() == self.protocol {
            let instead_of = led.then(|| before.to_owned());
            return reply(later, Ok(Joined { instead_of, ..self.joined(&id) }));
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(later);
        }
        self.go_on(now);
    }

    /// Waits for a member's assignment; the leader's request contains the assignments of all members.
    pub(super) fn sync(
        &mut self,
        who: Identity<'_>,
        decided: Vec<(String, Bytes)>,
        later: Later<Bytes>,
        now: Instant,
    ) {
        if let Err(error) = self.check(who, now) {
            return reply(later, Err(error));
        }
        let Some(member) = self.members.get_mut(who.id) else { return };
        match self.state {
            State::Stable => reply(later, Ok(member.assignment.clone())),
            State::Completing => {
                member.syncing = Some(later);
                if self.leader == who.id {
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

    /// Notes that a member is alive.
    pub(super) fn heartbeat(
        &mut self,
        who: Identity<'_>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check(who, now)?;
        match self.state {
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Completing | State::Stable => Ok(()),
        }
    }

    /// Removes a member by its id, or a static member by its instance name alone.
    pub(super) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if self.promised.remove(id).is_some() {
            return Ok(());
        }
        let id = match instance {
            None => id.to_owned(),
            Some(instance) => {
                let known = self.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
                if !id.is_empty() && id != known {
                    return Err(ResponseError::FencedInstanceId);
                }
                known.clone()
            }
        };
        self.members.remove(&id).ok_or(ResponseError::UnknownMemberId)?;
        self.instances.retain(|_, known| *known != id);
        self.go_on(now);
        Ok(())
    }

    /// Applies timeouts: removes silent members, and ends a rebalance whose time is over.
    pub(super) fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, until| *until > now);
        let before = self.members.len();
        self.keep(|member| member.waits() || member.expires > now);
        if self.members.len() != before {
            self.go_on(now);
        }
        if let State::Preparing { until } = self.state
            && until <= now
        {
            // A static member may be late for as long as its session lasts.
            self.keep(|member| member.has_joined() || member.about.instance.is_some());
            self.complete(now);
        }
        self.idle_since = (self.len() == 0).then(|| self.idle_since.unwrap_or(now));
    }

    fn keep(&mut self, stays: impl Fn(&Member) -> bool) {
        self.members.retain(|_, member| stays(member));
        self.instances.retain(|_, id| self.members.contains_key(id));
    }

    /// Rebalances after a member joined or left.
    fn go_on(&mut self, now: Instant) {
        self.prepare(now);
        if self.members.values().all(Member::has_joined) {
            self.complete(now);
        }
    }

    /// Begins a rebalance unless one is in progress: all members must join again.
    fn prepare(&mut self, now: Instant) {
        if let State::Preparing { .. } = self.state {
            return;
        }
        self.state = State::Preparing { until: now + self.patience() };
        for later in self.members.values_mut().filter_map(|member| member.syncing.take()) {
            reply(later, Err(ResponseError::RebalanceInProgress));
        }
    }

    fn patience(&self) -> Duration {
        self.members.values().map(|member| member.about.rebalance).max().unwrap_or_default()
    }

    fn complete(&mut self, now: Instant) {
        let Some(leader) = self.next_leader() else {
            // If only static members are left and all are late, the rebalance waits for them.
            self.state = State::Preparing { until: now + self.patience() };
            if self.members.is_empty() {
                self.generation = self.generation.wrapping_add(1).max(1);
                self.state = State::Empty;
            }
            return;
        };
        self.generation = self.generation.wrapping_add(1).max(1);
        self.leader = leader;
        self.protocol = self.chosen();
        self.state = State::Completing;
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id)
                && let Some(later) = member.joining.take()
            {
                member.expires = now + member.about.session;
                reply(later, Ok(joined));
            }
        }
    }

    /// The previous leader if it has joined; otherwise another member that has.
    fn next_leader(&self) -> Option<String> {
        let has_joined = |id: &&String| self.members.get(*id).is_some_and(Member::has_joined);
        let before = Some(&self.leader).filter(has_joined);
        before.or_else(|| self.members.keys().find(has_joined)).cloned()
    }

    fn joined(&self, id: &str) -> Joined {
        let members = self.members.iter().map(|(id, member)| Listed {
            id: id.clone(),
            instance: member.about.instance.clone(),
            metadata: member.metadata(&self.protocol),
        });
        Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: id.to_owned(),
            instead_of: None,
            members: if id == self.leader { members.collect() } else { Vec::new() },
        }
    }

    /// The protocol that all members support and most of them prefer.
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

#[cfg(test)]
mod tests;
