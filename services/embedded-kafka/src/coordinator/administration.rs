//! Requests of operators about groups.

use std::collections::BTreeSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
        ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
        delete_groups_response::DeletableGroupResult,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        list_groups_response::ListedGroup,
        offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
    },
    protocol::StrBytes,
};

use super::Coordinator;
use crate::{
    group::{Group, State},
    store::Store,
    wire::code,
};

/// The type of all groups here; groups of the new protocol have another.
const TYPE: &str = "classic";

impl Coordinator {
    /// Removes groups without members; records that only they had yet to read may be dropped.
    pub(in super::super) fn delete(
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

    /// Removes a group's offsets in some partitions.
    pub(in super::super) fn delete_offsets(
        &self,
        store: &Store,
        request: OffsetDeleteRequest,
    ) -> OffsetDeleteResponse {
        let groups = self.groups.lock();
        let Some(group) = groups.get(&**request.group_id) else {
            let unknown = ResponseError::GroupIdNotFound.code();
            return OffsetDeleteResponse::default().with_error_code(unknown);
        };
        let is_read = !group.members.is_empty();
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let done = if is_read {
                    Err(ResponseError::GroupSubscribedToTopic)
                } else {
                    store.forget(&topic.name, partition.partition_index, &request.group_id)
                };
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code(&done))
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        OffsetDeleteResponse::default().with_topics(topics.collect())
    }

    pub(in super::super) fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let groups = self.groups.lock();
        let is_any = |filter: &[StrBytes], name: &str| {
            filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        let wanted = |group: &Group| {
            is_any(&request.states_filter, state(group)) && is_any(&request.types_filter, TYPE)
        };
        let groups = groups.iter().filter(|(_, group)| wanted(group)).map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(StrBytes::from(id.clone()).into())
                .with_protocol_type(group.kind.clone().into())
                .with_group_state(StrBytes::from_static_str(state(group)))
                .with_group_type(StrBytes::from_static_str(TYPE))
        });
        ListGroupsResponse::default().with_groups(groups.collect())
    }

    pub(in super::super) fn describe(
        &self,
        request: DescribeGroupsRequest,
    ) -> DescribeGroupsResponse {
        // Each group once, however often the request names it.
        let ids: BTreeSet<_> = request.groups.into_iter().collect();
        let groups = ids.into_iter().map(|id| {
            let known = self.with(&id, |group| described(group));
            let unknown =
                || DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"));
            known.unwrap_or_else(|_| unknown()).with_group_id(id)
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }
}

fn described(group: &Group) -> DescribedGroup {
    let members = group.members.iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(id.clone().into())
            .with_group_instance_id(member.about.instance.clone().map(StrBytes::from))
            .with_client_id(member.about.client.clone().into())
            .with_client_host(format!("/{}", member.about.host).into())
            .with_member_metadata(member.metadata(&group.protocol))
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_members(members.collect())
        .with_group_state(StrBytes::from_static_str(state(group)))
        .with_protocol_type(group.kind.clone().into())
        .with_protocol_data(group.protocol.clone().into())
}

fn state(group: &Group) -> &'static str {
    match group.state {
        State::Empty => "Empty",
        State::Preparing { .. } => "PreparingRebalance",
        State::Completing => "CompletingRebalance",
        State::Stable => "Stable",
    }
}
