use kafka_protocol::messages::GroupId;

use super::*;
use crate::settings::{Retention, Topic};

const EXPIRY: Duration = Duration::from_secs(60);

fn coordinator(own: &[&str]) -> (Coordinator, Store) {
    let own = own.iter().map(|id| (*id).to_owned()).collect();
    let topic =
        Topic { name: "orders.events".into(), partitions: 1, retention: Retention::Consumed };
    (Coordinator::new(own, EXPIRY), Store::new(vec![topic], 1 << 20))
}

fn outsider() -> Identity<'static> {
    Identity { id: "", instance: None, generation: -1 }
}

fn commit(groups: &Coordinator, store: &Store, id: &str) -> Result<(), ResponseError> {
    groups.commit(store, id, outsider(), |_| store.reserve("orders.events", 0, id)).map(drop)
}

fn listed(groups: &Coordinator) -> Vec<String> {
    let list = groups.list(&Default::default());
    list.groups.iter().map(|group| group.group_id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_group_without_members_expires_with_its_offsets_unless_it_is_our_own() {
    let (groups, store) = coordinator(&["orders"]);
    commit(&groups, &store, "orders").unwrap();
    commit(&groups, &store, "curious").unwrap();
    assert_eq!(listed(&groups), ["curious", "orders"]);
    groups.tick(&store);
    tokio::time::advance(EXPIRY / 2).await;
    commit(&groups, &store, "curious").unwrap();
    groups.tick(&store);
    tokio::time::advance(EXPIRY / 2).await;
    groups.tick(&store);
    assert_eq!(listed(&groups), ["curious", "orders"], "it committed again");
    tokio::time::advance(EXPIRY).await;
    groups.tick(&store);
    assert_eq!(listed(&groups), ["orders"]);
    assert!(!store.release("curious") && store.release("orders"));
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_gives_way_first_and_our_own_never() {
    let (groups, store) = coordinator(&["orders"]);
    for id in ["orders", "z", "a"] {
        commit(&groups, &store, id).unwrap();
        groups.tick(&store);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("busy")))
        .with_session_timeout_ms(60_000)
        .with_protocols(vec![Default::default()]);
    let caller = Caller { client: "c", host: "h", version: 0 };
    assert_eq!(groups.join(&store, request, caller).await.error_code, 0);
    assert_eq!(groups.giving_way(), ["z", "a", "busy"]);
}

#[tokio::test(start_paused = true)]
async fn groups_are_bounded_and_the_longest_idle_makes_room() {
    let (groups, store) = coordinator(&["orders"]);
    commit(&groups, &store, "orders").unwrap();
    groups.tick(&store);
    for number in 0..2 * MAX_GROUPS {
        commit(&groups, &store, &format!("g{number}")).unwrap();
        groups.tick(&store);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let all = listed(&groups);
    assert_eq!(all.len(), MAX_GROUPS);
    assert!(all.contains(&"orders".to_owned()) && !all.contains(&"g0".to_owned()));
    assert!(!store.release("g0"));
    let long = "x".repeat(MAX_NAME + 1);
    assert_eq!(commit(&groups, &store, &long), Err(ResponseError::InvalidGroupId));
}

#[tokio::test]
async fn what_strangers_say_about_themselves_is_bounded_and_our_own_join() {
    let (groups, store) = coordinator(&["orders"]);
    let metadata = Bytes::from(vec![0; 400 << 10]);
    let join = async |id: &str| {
        let protocol =
            kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol::default();
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from(id.to_owned())))
            .with_session_timeout_ms(60_000)
            .with_protocols(vec![protocol.with_metadata(metadata.clone())]);
        let caller = Caller { client: "c", host: "h", version: 0 };
        groups.join(&store, request, caller).await.error_code
    };
    let mut joined = 0;
    while join(&format!("g{joined}")).await == 0 {
        joined += 1;
    }
    assert!(joined * metadata.len() <= MAX_MEMBER_METADATA && joined > 10, "{joined}");
    assert_eq!(join("orders").await, 0);
}
