//! All consumer groups: what clients ask of them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse,
        SyncGroupRequest, SyncGroupResponse,
        delete_groups_response::DeletableGroupResult,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        join_group_response::JoinGroupResponseMember,
        leave_group_response::MemberResponse,
        list_groups_response::ListedGroup,
    },
    protocol::StrBytes,
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use super::{
    code,
    group::{Group, Joined, Newcomer, State},
    store::Store,
};

/// Kafka's own `group.max.session.timeout.ms`.
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 60);
/// Far more than anybody tries out.
const MOST_GROUPS: usize = 500;
/// From here on a client first asks for an id, so that one that gives up leaves no member behind.
const ASKS_FOR_ID: i16 = 4;

/// From where somebody asks.
pub(super) struct Caller<'a> {
    pub(super) client: &'a str,
    pub(super) host: &'a str,
    pub(super) version: i16,
}

#[derive(Default)]
pub(super) struct Coordinator {
    groups: Mutex<BTreeMap<String, Group>>,
}

impl Coordinator {
    /// What only time brings about.
    pub(super) fn tick(&self) {
        let now = Instant::now();
        let mut groups = self.groups.lock();
        groups.values_mut().for_each(|group| group.tick(now));
        groups.retain(|_, group| !group.is_forgettable());
    }

    pub(super) async fn join(
        &self,
        request: JoinGroupRequest,
        caller: Caller<'_>,
    ) -> JoinGroupResponse {
        let mut id = request.member_id.to_string();
        let kind = request.protocol_type.clone();
        let joined = match self.begin_to_join(request, &mut id, &caller) {
            Ok(waiting) => waiting.await.unwrap_or(Err(ResponseError::UnknownMemberId)),
            Err(error) => Err(error),
        };
        let response = JoinGroupResponse::default();
        match joined {
            Ok(Joined { generation, protocol, leader, member, members }) => response
                .with_generation_id(generation)
                .with_protocol_type(Some(kind))
                .with_protocol_name(Some(protocol.into()))
                .with_leader(leader.into())
                .with_member_id(member.into())
                .with_members(
                    members.into_iter().map(|(id, metadata)| listed(id, metadata)).collect(),
                ),
            Err(error) => response
                .with_error_code(error.code())
                .with_generation_id(-1)
                .with_protocol_name(Some(StrBytes::default()))
                .with_member_id(id.into()),
        }
    }

    fn begin_to_join(
        &self,
        request: JoinGroupRequest,
        id: &mut String,
        caller: &Caller<'_>,
    ) -> Result<oneshot::Receiver<Result<Joined, ResponseError>>, ResponseError> {
        let session = duration(request.session_timeout_ms);
        if session.is_zero() || session > LONGEST_SESSION {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let now = Instant::now();
        let mut groups = self.groups.lock();
        if groups.len() >= MOST_GROUPS && !groups.contains_key(&**request.group_id) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let group = groups.entry(request.group_id.to_string()).or_default();
        if id.is_empty() {
            *id = format!("{}-{}", caller.client, Uuid::new_v4());
            group.promise(id.clone(), now + session)?;
            if caller.version >= ASKS_FOR_ID {
                return Err(ResponseError::MemberIdRequired);
            }
        }
        let rebalance = duration(request.rebalance_timeout_ms);
        let protocols = request.protocols.iter();
        let newcomer = Newcomer {
            id: id.clone(),
            client: caller.client.to_owned(),
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

    pub(super) async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let (later, waiting) = oneshot::channel();
        let decided = request.assignments.iter();
        let decided =
            decided.map(|one| (one.member_id.to_string(), own(&one.assignment))).collect();
        let mut protocol = String::new();
        let begun = self.with(&request.group_id, |group| {
            protocol.clone_from(&group.protocol);
            let (id, generation) = (&request.member_id, request.generation_id);
            group.sync(id, generation, decided, later, Instant::now());
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
        let alive = self.with(&request.group_id, |group| {
            group.heartbeat(&request.member_id, request.generation_id, Instant::now())
        });
        HeartbeatResponse::default().with_error_code(code(&alive.flatten()))
    }

    pub(super) fn leave(&self, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
        let leave = |id: &str| {
            self.with(&request.group_id, |group| group.leave(id, Instant::now())).flatten()
        };
        let response = LeaveGroupResponse::default();
        // Several may leave with one request since its third version.
        if version < 3 {
            return response.with_error_code(code(&leave(&request.member_id)));
        }
        let left = request.members.iter().map(|member| {
            MemberResponse::default()
                .with_error_code(code(&leave(&member.member_id)))
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
        });
        response.with_members(left.collect())
    }

    pub(super) fn may_commit(
        &self,
        group: &str,
        id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.with(group, |group| group.may_commit(id, generation, Instant::now())) {
            Ok(answer) => answer,
            // A consumer that assigns its partitions itself only has its offsets here.
            Err(_) if generation < 0 && id.is_empty() => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn has_members(&self, group: &str) -> bool {
        self.with(group, |group| !group.members.is_empty()).unwrap_or(false)
    }

    /// Forgets groups without members; what only they had yet to read may go with them.
    pub(super) fn delete(
        &self,
        store: &Store,
        request: DeleteGroupsRequest,
    ) -> DeleteGroupsResponse {
        let results = request.groups_names.into_iter().map(|id| {
            let mut groups = self.groups.lock();
            let done = if groups.get(&**id).is_some_and(|group| !group.members.is_empty()) {
                Err(ResponseError::NonEmptyGroup)
            } else if groups.remove(&**id).is_some() | store.release(&id) {
                Ok(())
            } else {
                Err(ResponseError::GroupIdNotFound)
            };
            DeletableGroupResult::default().with_group_id(id).with_error_code(code(&done))
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }

    pub(super) fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let groups = self.groups.lock();
        let wanted = |group: &Group| {
            let name = state(group);
            request.states_filter.is_empty()
                || request.states_filter.iter().any(|one| **one == *name)
        };
        let groups = groups.iter().filter(|(_, group)| wanted(group)).map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(StrBytes::from(id.clone()).into())
                .with_protocol_type(group.kind().to_owned().into())
                .with_group_state(StrBytes::from_static_str(state(group)))
        });
        ListGroupsResponse::default().with_groups(groups.collect())
    }

    pub(super) fn describe(&self, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| {
            let known = self.with(&id, described);
            let unknown =
                || DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"));
            known.unwrap_or_else(|_| unknown()).with_group_id(id)
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }

    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Group) -> T) -> Result<T, ResponseError> {
        self.groups.lock().get_mut(id).map(work).ok_or(ResponseError::UnknownMemberId)
    }
}

fn described(group: &mut Group) -> DescribedGroup {
    let members = group.members.iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(id.clone().into())
            .with_client_id(member.about.client.clone().into())
            .with_client_host(format!("/{}", member.about.host).into())
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_members(members.collect())
        .with_group_state(StrBytes::from_static_str(state(group)))
        .with_protocol_type(group.kind().to_owned().into())
        .with_protocol_data(group.protocol.clone().into())
}

fn listed(id: String, metadata: Bytes) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default().with_member_id(id.into()).with_metadata(metadata)
}

fn state(group: &Group) -> &'static str {
    match group.state {
        State::Empty => "Empty",
        State::Preparing { .. } => "PreparingRebalance",
        State::Completing => "CompletingRebalance",
        State::Stable => "Stable",
    }
}

/// Nothing for what is negative.
fn duration(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// A copy: what came with a request keeps all that was read with it.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
