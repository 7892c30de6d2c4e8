//! All consumer groups: the requests of their members, and how long each group is kept.
//!
//! Groups that the broker was started for are kept for ever, and so are the records that they have yet to read. All other groups
//! ("foreign" below) belong to people who look at the topics: they expire without members, and they block no producer when the
//! logs are full.

mod administration;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
        JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
        SyncGroupResponse, join_group_response::JoinGroupResponseMember,
        leave_group_response::MemberResponse,
    },
    protocol::StrBytes,
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use super::{
    group::{Group, Identity, Joined, Listed, Newcomer},
    limits::{MAX_GROUPS, MAX_MEMBER_METADATA, MAX_MEMBERS, MAX_NAME, MAX_SESSION},
    store::Store,
    wire::code,
};

/// From this version on, a client first asks for a member id, so that a client that gives up leaves no member behind.
const ASKS_FOR_ID: i16 = 4;
/// From this version on, the answer can make a leader skip the assignment because it stays the same.
const SKIPS_ASSIGNMENT: i16 = 9;

/// The client that a request comes from.
pub(super) struct Caller<'a> {
    pub(super) client: &'a str,
    pub(super) host: &'a str,
    pub(super) version: i16,
}

pub(super) struct Coordinator {
    groups: Mutex<BTreeMap<String, Group>>,
    own: BTreeSet<String>,
    /// How long a foreign group is kept without members.
    expiry: Duration,
}

impl Coordinator {
    pub(super) fn new(own: BTreeSet<String>, expiry: Duration) -> Self {
        Self { groups: Mutex::default(), own, expiry }
    }

    /// Applies timeouts: of members, of rebalances, of groups.
    pub(super) fn tick(&self, store: &Store) {
        let now = Instant::now();
        let mut groups = self.groups.lock();
        groups.retain(|id, group| {
            group.tick(now);
            let expired = !self.own.contains(id) && group.idle(now) >= self.expiry;
            if expired {
                store.release(id);
            }
            !expired && !group.is_forgettable()
        });
    }

    /// The groups that give way when the logs are full: those without members first, the longest idle first.
    pub(super) fn giving_way(&self) -> Vec<String> {
        let now = Instant::now();
        let groups = self.groups.lock();
        let foreign = groups.iter().filter(|(id, _)| !self.own.contains(*id));
        let mut foreign: Vec<_> = foreign
            .map(|(id, group)| (!group.members.is_empty(), group.idle(now), id.clone()))
            .collect();
        foreign
            .sort_by(|(busy, idle, _), (other, longer, _)| busy.cmp(other).then(longer.cmp(idle)));
        foreign.into_iter().map(|(_, _, id)| id).collect()
    }

    /// The group, created if it is new. If there are too many, the foreign one without members that is idle for longest is
    /// removed.
    fn entry<'a>(
        &self,
        groups: &'a mut BTreeMap<String, Group>,
        id: &str,
        store: &Store,
    ) -> Result<&'a mut Group, ResponseError> {
        if id.len() > MAX_NAME {
            return Err(ResponseError::InvalidGroupId);
        }
        if groups.len() >= MAX_GROUPS && !groups.contains_key(id) && !self.own.contains(id) {
            let now = Instant::now();
            let idle =
                groups.iter().filter(|(id, group)| group.len() == 0 && !self.own.contains(*id));
            let longest = idle.max_by_key(|(_, group)| group.idle(now));
            let longest = longest.map(|(id, _)| id.clone());
            let longest = longest.ok_or(ResponseError::PolicyViolation)?;
            groups.remove(&longest);
            store.release(&longest);
        }
        Ok(groups.entry(id.to_owned()).or_default())
    }

    pub(super) async fn join(
        &self,
        store: &Store,
        request: JoinGroupRequest,
        caller: Caller<'_>,
    ) -> JoinGroupResponse {
        let mut id = request.member_id.to_string();
        let kind = request.protocol_type.clone();
        let joined = match self.begin_to_join(store, request, &mut id, &caller) {
            Ok(waiting) => waiting.await.unwrap_or(Err(ResponseError::UnknownMemberId)),
            Err(error) => Err(error),
        };
        let response = JoinGroupResponse::default();
        let mut joined = match joined {
            Ok(joined) => joined,
            Err(error) => {
                return response
                    .with_error_code(error.code())
                    .with_generation_id(-1)
                    .with_protocol_name(Some(StrBytes::default()))
                    .with_member_id(id.into());
            }
        };
        let skips = joined.instead_of.is_some() && caller.version >= SKIPS_ASSIGNMENT;
        if let Some(before) = joined.instead_of.take_if(|_| !skips) {
            // A client that cannot skip the assignment must not see itself as the leader.
            (joined.leader, joined.members) = (before, Vec::new());
        }
        response
            .with_generation_id(joined.generation)
            .with_protocol_type(Some(kind))
            .with_protocol_name(Some(joined.protocol.into()))
            .with_leader(joined.leader.into())
            .with_skip_assignment(skips)
            .with_member_id(joined.member.into())
            .with_members(joined.members.into_iter().map(listed).collect())
    }

    fn begin_to_join(
        &self,
        store: &Store,
        request: JoinGroupRequest,
        id: &mut String,
        caller: &Caller<'_>,
    ) -> Result<oneshot::Receiver<Result<Joined, ResponseError>>, ResponseError> {
        let session = duration(request.session_timeout_ms);
        if session.is_zero() || session > MAX_SESSION {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let instance = request.group_instance_id.as_deref().map(str::to_owned);
        if instance.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(ResponseError::InvalidRequest);
        }
        let now = Instant::now();
        let client: String = caller.client.chars().take(MAX_NAME / 4).collect();
        let mut groups = self.groups.lock();
        if !self.own.contains(&**request.group_id) {
            self.has_room(&groups, &request)?;
        }
        let group = self.entry(&mut groups, &request.group_id, store)?;
        if id.is_empty() {
            *id = format!("{}-{}", instance.as_ref().unwrap_or(&client), Uuid::new_v4());
            group.promise(id.clone(), now + session)?;
            if caller.version >= ASKS_FOR_ID && instance.is_none() {
                return Err(ResponseError::MemberIdRequired);
            }
        }
        let rebalance = duration(request.rebalance_timeout_ms);
        let protocols = request.protocols.iter();
        let newcomer = Newcomer {
            id: id.clone(),
            instance,
            client,
            host: caller.host.to_owned(),
            session,
            rebalance: if rebalance.is_zero() { session } else { rebalance },
            kind: request.protocol_type.to_string(),
            protocols: protocols.map(|one| (one.name.to_string(), own(&one.metadata))).collect(),
        };
        let (later, waiting) = oneshot::channel();
        group.join(newcomer, later, now);
        Ok(waiting)
    }

    /// Checks that one more member of a foreign group, and its metadata, fit the limits.
    fn has_room(
        &self,
        groups: &BTreeMap<String, Group>,
        request: &JoinGroupRequest,
    ) -> Result<(), ResponseError> {
        let foreign = || groups.iter().filter(|(id, _)| !self.own.contains(*id));
        let brought = request.protocols.iter().map(|one| one.name.len() + one.metadata.len());
        let size = foreign().map(|(_, group)| group.size()).sum::<usize>();
        let count = foreign().map(|(_, group)| group.len()).sum::<usize>();
        if count >= MAX_MEMBERS || size + brought.sum::<usize>() > MAX_MEMBER_METADATA {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        Ok(())
    }

    pub(super) async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let (later, waiting) = oneshot::channel();
        let decided = request.assignments.iter();
        let decided =
            decided.map(|one| (one.member_id.to_string(), own(&one.assignment))).collect();
        let mut protocol = String::new();
        let begun = self.with(&request.group_id, |group| {
            protocol.clone_from(&group.protocol);
            let who = Identity {
                id: &request.member_id,
                instance: request.group_instance_id.as_deref(),
                generation: request.generation_id,
            };
            group.sync(who, decided, later, Instant::now());
        });
        let synced = match begun {
            Ok(()) => waiting.await.unwrap_or(Err(ResponseError::UnknownMemberId)),
            Err(error) => Err(error),
        };
        let response = SyncGroupResponse::default()
            .with_protocol_type(request.protocol_type)
            .with_protocol_name(request.protocol_name.map(|_| protocol.into()));
        match synced {
            Ok(assignment) => response.with_assignment(assignment),
            Err(error) => response.with_error_code(error.code()),
        }
    }

    pub(super) fn heartbeat(&self, request: &HeartbeatRequest) -> HeartbeatResponse {
        let who = Identity {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
            generation: request.generation_id,
        };
        let alive = self.with(&request.group_id, |group| group.heartbeat(who, Instant::now()));
        HeartbeatResponse::default().with_error_code(code(&alive.flatten()))
    }

    pub(super) fn leave(&self, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
        let leave = |id: &str, instance: Option<&str>| {
            let now = Instant::now();
            self.with(&request.group_id, |group| group.leave(id, instance, now)).flatten()
        };
        let response = LeaveGroupResponse::default();
        // From version 3 on, several members may leave with one request.
        if version < 3 {
            return response.with_error_code(code(&leave(&request.member_id, None)));
        }
        let left = request.members.iter().map(|member| {
            let done = leave(&member.member_id, member.group_instance_id.as_deref());
            MemberResponse::default()
                .with_error_code(code(&done))
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
        });
        response.with_members(left.collect())
    }

    /// Runs `work`, which commits offsets, if the caller may commit; the group cannot change meanwhile.
    pub(super) fn commit<T>(
        &self,
        store: &Store,
        id: &str,
        who: Identity<'_>,
        work: impl FnOnce(bool) -> T,
    ) -> Result<T, ResponseError> {
        let mut groups = self.groups.lock();
        let is_own = self.own.contains(id);
        let group = match groups.contains_key(id) {
            true => self.entry(&mut groups, id, store)?,
            // A consumer that assigns its own partitions only stores offsets in its group.
            false if who.generation < 0 && who.id.is_empty() => {
                self.entry(&mut groups, id, store)?
            }
            false => return Err(ResponseError::UnknownMemberId),
        };
        group.may_commit(who, Instant::now())?;
        group.note_commit();
        Ok(work(is_own))
    }

    /// Runs `work`, which reads a group's offsets; its argument says whether the group has members, which go on from there.
    pub(super) fn look<T>(&self, id: &str, work: impl FnOnce(bool) -> T) -> T {
        let groups = self.groups.lock();
        work(groups.get(id).is_some_and(|group| !group.members.is_empty()))
    }

    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Group) -> T) -> Result<T, ResponseError> {
        self.groups.lock().get_mut(id).map(work).ok_or(ResponseError::UnknownMemberId)
    }
}

/// The answer of a broker whose new group protocol is switched off: clients treat it as final.
pub(super) fn new_protocol() -> ConsumerGroupHeartbeatResponse {
    let why = "this broker has groups of the classic protocol only";
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_error_message(Some(StrBytes::from_static_str(why)))
}

fn listed(member: Listed) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(member.id.into())
        .with_group_instance_id(member.instance.map(StrBytes::from))
        .with_metadata(member.metadata)
}

/// Milliseconds as a duration; zero if negative.
fn duration(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// A copy: a slice of a request would keep the whole read buffer in memory.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[cfg(test)]
mod tests;
