//! Consumer groups: assignment, rebalances, membership.

use std::collections::BTreeSet;

use bytes::{BufMut, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
        SyncGroupRequest, join_group_request::JoinGroupRequestProtocol,
    },
    protocol::{Encodable, StrBytes},
};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{
    broker::{A_MOMENT, Broker, PATIENCE, unique, until},
    wire::Wire,
};

fn partitions(member: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = member.assignment().unwrap();
    assignment.elements().iter().map(|one| one.partition()).collect()
}

/// Polls the members until the condition is true.
fn settled(members: &[&BaseConsumer], what: &str, is_so: impl Fn() -> bool) {
    until(what, || {
        for member in members {
            drop(member.poll(A_MOMENT));
        }
        is_so()
    });
}

pub(crate) fn range_members_share_partitions_and_take_over(broker: Broker) {
    members_share_and_take_over(&broker, "range");
}

pub(crate) fn cooperative_members_share_partitions_and_take_over(broker: Broker) {
    members_share_and_take_over(&broker, "cooperative-sticky");
}

fn members_share_and_take_over(broker: &Broker, strategy: &str) {
    let (topic, group) = (broker.topic(3), unique("group"));
    let first = broker.member(&group, &topic, strategy);
    settled(&[&first], "one to have all", || partitions(&first).len() == 3);
    let second = broker.member(&group, &topic, strategy);
    settled(&[&first, &second], "two to share", || {
        let (one, other) = (partitions(&first), partitions(&second));
        !one.is_empty() && !other.is_empty() && one.len() + other.len() == 3
    });
    assert!(partitions(&first).is_disjoint(&partitions(&second)));
    drop(first);
    settled(&[&second], "the other to have all", || partitions(&second).len() == 3);
}

/// A member that sends only the requests of the test.
struct Puppet {
    wire: Wire,
    group: StrBytes,
    topic: StrBytes,
    id: StrBytes,
}

impl Puppet {
    fn new(broker: &Broker, group: &str, topic: &str) -> Self {
        let (group, topic) = (group.to_owned().into(), topic.to_owned().into());
        Self { wire: Wire::open(broker), group, topic, id: StrBytes::default() }
    }

    /// Sends a join request; repeated, because a broker that has just started first has to learn that it coordinates groups.
    fn join(&mut self) -> JoinGroupResponse {
        let subscription =
            ConsumerProtocolSubscription::default().with_topics(vec![self.topic.clone()]);
        let mut metadata = BytesMut::new();
        metadata.put_i16(0);
        subscription.encode(&mut metadata, 0).unwrap();
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(metadata.freeze());
        let request = JoinGroupRequest::default()
            .with_group_id(self.group.clone().into())
            .with_member_id(self.id.clone())
            .with_session_timeout_ms(6000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        let mut response = JoinGroupResponse::default();
        until("a coordinator", || {
            response = self.wire.call(5, &request);
            let error = ResponseError::try_from_code(response.error_code);
            !error.is_some_and(|error| error.is_retriable())
        });
        self.id = response.member_id.clone();
        response
    }

    fn heartbeat(&mut self, generation: i32) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group.clone().into())
            .with_member_id(self.id.clone())
            .with_generation_id(generation);
        self.wire.call(3, &request).error_code
    }
}

pub(crate) fn the_partitions_of_a_dead_member_are_reassigned(broker: Broker) {
    let (topic, group) = (broker.topic(3), unique("group"));
    let survivor = broker.member(&group, &topic, "range");
    settled(&[&survivor], "one to have all", || partitions(&survivor).len() == 3);
    let mut puppet = Puppet::new(&broker, &group, &topic);
    assert_eq!(puppet.join().error_code, ResponseError::MemberIdRequired.code());
    let joined = std::thread::scope(|scope| {
        let joining = scope.spawn(|| puppet.join());
        settled(&[&survivor], "both to join", || joining.is_finished());
        joining.join().unwrap()
    });
    assert_eq!(joined.error_code, 0);
    settled(&[&survivor], "one to give some away", || partitions(&survivor).len() < 3);
    // The member sends neither a sync nor a heartbeat, and does not leave the group.
    drop(puppet);
    settled(&[&survivor], "one to have all again", || partitions(&survivor).len() == 3);
}

pub(crate) fn an_unknown_member_and_an_old_generation_are_refused(broker: Broker) {
    let mut puppet = Puppet::new(&broker, &unique("group"), &broker.topic(1));
    puppet.id = StrBytes::from_static_str("somebody");
    // The join comes first: a broker that has not loaded its groups yet accepts any heartbeat.
    assert_eq!(puppet.join().error_code, ResponseError::UnknownMemberId.code());
    assert_eq!(puppet.heartbeat(1), ResponseError::UnknownMemberId.code());
    puppet.id = StrBytes::default();
    assert_eq!(puppet.join().error_code, ResponseError::MemberIdRequired.code());
    let joined = puppet.join();
    assert_eq!((joined.error_code, &joined.leader), (0, &puppet.id));
    let generation = joined.generation_id;
    assert_eq!(puppet.heartbeat(generation - 1), ResponseError::IllegalGeneration.code());
    let sync = SyncGroupRequest::default()
        .with_group_id(puppet.group.clone().into())
        .with_member_id(puppet.id.clone())
        .with_generation_id(generation);
    assert_eq!(puppet.wire.call(3, &sync).error_code, 0);
    assert_eq!(puppet.heartbeat(generation), 0);
}

pub(crate) fn groups_are_listed_with_their_members(broker: Broker) {
    let (topic, group) = (broker.topic(1), unique("group"));
    let member = broker.member(&group, &topic, "range");
    settled(&[&member], "a member", || partitions(&member).len() == 1);
    let found = || {
        let list = member.client().fetch_group_list(Some(&group), PATIENCE).unwrap();
        let all = list.groups().iter().map(|one| (one.state().to_owned(), one.members().len()));
        all.collect::<Vec<_>>()
    };
    settled(&[&member], "a stable group", || found() == [("Stable".to_owned(), 1)]);
}
