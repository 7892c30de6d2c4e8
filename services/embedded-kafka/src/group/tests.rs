use tokio::sync::oneshot::{self, Receiver};

use super::*;

const SESSION: Duration = Duration::from_secs(2);
const REBALANCE: Duration = Duration::from_secs(60);

type Waiting<T> = Receiver<Result<T, ResponseError>>;

fn newcomer(id: &str, protocols: &[&str]) -> Newcomer {
    Newcomer {
        id: id.into(),
        instance: None,
        client: "client".into(),
        host: "127.0.0.1".into(),
        session: SESSION,
        rebalance: REBALANCE,
        kind: "consumer".into(),
        protocols: protocols.iter().map(|name| ((*name).to_owned(), Bytes::new())).collect(),
    }
}

fn join_with(group: &mut Group, id: &str, protocols: &[&str], now: Instant) -> Waiting<Joined> {
    if !group.members.contains_key(id) {
        group.promise(id.into(), now + SESSION).unwrap();
    }
    let (later, waiting) = oneshot::channel();
    group.join(newcomer(id, protocols), later, now);
    waiting
}

fn join(group: &mut Group, id: &str, now: Instant) -> Waiting<Joined> {
    join_with(group, id, &["range"], now)
}

fn who(id: &str, generation: i32) -> Identity<'_> {
    Identity { id, instance: None, generation }
}

fn sync(group: &mut Group, id: &str, decided: &[&str], now: Instant) -> Waiting<Bytes> {
    let (later, waiting) = oneshot::channel();
    let decided = decided.iter().map(|id| ((*id).into(), Bytes::from((*id).to_owned()))).collect();
    group.sync(who(id, group.generation), decided, later, now);
    waiting
}

fn response<T>(waiting: &mut Waiting<T>) -> Result<T, ResponseError> {
    waiting.try_recv().unwrap()
}

fn waits<T>(waiting: &mut Waiting<T>) -> bool {
    matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

/// A group with the members `a`, which leads, and `b`.
fn two(now: Instant) -> Group {
    let mut group = Group::default();
    assert_eq!(response(&mut join(&mut group, "a", now)).unwrap().generation, 1);
    let mut second = join(&mut group, "b", now);
    assert!(waits(&mut second));
    assert_eq!(group.heartbeat(who("a", 1), now), Err(ResponseError::RebalanceInProgress));
    let first = response(&mut join(&mut group, "a", now)).unwrap();
    assert_eq!((first.generation, first.members.len(), &*first.leader), (2, 2, "a"));
    assert_eq!(response(&mut second).unwrap().members.len(), 0);
    let mut second = sync(&mut group, "b", &[], now);
    assert!(waits(&mut second));
    assert_eq!(response(&mut sync(&mut group, "a", &["a", "b"], now)), Ok("a".into()));
    assert_eq!(response(&mut second), Ok("b".into()));
    assert_eq!(group.state, State::Stable);
    group
}

#[test]
fn a_rebalance_is_over_as_soon_as_all_have_come_back() {
    two(Instant::now());
}

#[test]
fn a_silent_member_is_removed_and_the_others_rebalance() {
    let now = Instant::now();
    let mut group = two(now);
    group.heartbeat(who("b", 2), now + SESSION / 2).unwrap();
    group.tick(now + SESSION);
    assert_eq!(group.heartbeat(who("a", 2), now + SESSION), Err(ResponseError::UnknownMemberId));
    assert_eq!(
        group.heartbeat(who("b", 2), now + SESSION),
        Err(ResponseError::RebalanceInProgress)
    );
    let joined = response(&mut join(&mut group, "b", now + SESSION)).unwrap();
    assert_eq!((joined.generation, &*joined.leader), (3, "b"));
}

#[test]
fn a_member_that_sends_only_heartbeats_is_removed_at_the_rebalance_timeout() {
    let now = Instant::now();
    let mut group = two(now);
    let mut third = join(&mut group, "c", now);
    let mut first = join(&mut group, "a", now);
    for second in 1..60 {
        let now = now + Duration::from_secs(second);
        group.heartbeat(who("b", 2), now).unwrap_err();
        group.tick(now);
        assert!(waits(&mut first) && waits(&mut third));
    }
    group.tick(now + REBALANCE);
    assert_eq!(response(&mut first).unwrap().members.len(), 2);
    assert_eq!(response(&mut third).unwrap().generation, 3);
    assert!(!group.members.contains_key("b"));
}

#[test]
fn a_member_that_disconnects_while_it_joins_delays_the_others_for_one_session_at_most() {
    let now = Instant::now();
    let mut group = two(now);
    drop(join(&mut group, "c", now));
    let mut first = join(&mut group, "a", now);
    let mut second = join(&mut group, "b", now);
    assert!(waits(&mut first));
    group.tick(now + SESSION);
    assert_eq!(response(&mut first).unwrap().members.len(), 2);
    assert!(response(&mut second).is_ok());
}

#[test]
fn a_leaving_leader_is_replaced_at_once_and_an_empty_group_starts_anew() {
    let now = Instant::now();
    let mut group = two(now);
    let mut second = join(&mut group, "b", now);
    assert_eq!(response(&mut second).unwrap().generation, 2, "nothing has changed for it");
    group.leave("a", None, now).unwrap();
    assert_eq!(response(&mut join(&mut group, "b", now)).unwrap().leader, "b");
    group.leave("b", None, now).unwrap();
    assert_eq!((group.state, group.may_commit(who("", -1), now)), (State::Empty, Ok(())));
    assert_eq!(group.leave("b", None, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(response(&mut join(&mut group, "c", now)).unwrap().leader, "c");
}

#[test]
fn all_must_be_able_to_do_what_is_chosen() {
    let now = Instant::now();
    let mut group = Group::default();
    let mut first = join_with(&mut group, "a", &["new", "old"], now);
    assert_eq!(response(&mut first).unwrap().protocol, "new");
    let refused = response(&mut join_with(&mut group, "b", &["other"], now)).unwrap_err();
    assert_eq!(refused, ResponseError::InconsistentGroupProtocol);
    let mut second = join_with(&mut group, "b", &["old"], now);
    response(&mut join_with(&mut group, "a", &["new", "old"], now)).unwrap();
    assert_eq!(response(&mut second).unwrap().protocol, "old");
}

#[test]
fn only_members_of_this_generation_commit() {
    let now = Instant::now();
    let mut group = two(now);
    assert_eq!(group.may_commit(who("a", 2), now), Ok(()));
    assert_eq!(group.may_commit(who("a", 1), now), Err(ResponseError::IllegalGeneration));
    assert_eq!(group.may_commit(who("", -1), now), Err(ResponseError::UnknownMemberId));
    drop(join(&mut group, "c", now));
    assert_eq!(group.may_commit(who("a", 2), now), Ok(()), "what it did counts until it has left");
}

#[test]
fn unused_member_ids_expire() {
    let now = Instant::now();
    let mut group = Group::default();
    while group.promise(group.promised.len().to_string(), now + SESSION).is_ok() {}
    assert_eq!(group.promised.len(), MAX_GROUP_MEMBERS);
    group.tick(now + SESSION);
    assert!(group.is_forgettable());
}

/// Joins like `join`, as the static member of this name.
fn join_as(group: &mut Group, id: &str, instance: &str, now: Instant) -> Waiting<Joined> {
    if !group.members.contains_key(id) {
        group.promise(id.into(), now + SESSION).unwrap();
    }
    let (later, waiting) = oneshot::channel();
    let newcomer = Newcomer { instance: Some(instance.into()), ..newcomer(id, &["range"]) };
    group.join(newcomer, later, now);
    waiting
}

/// A group with the static members `a`, which leads, with the id `a1`, and `b`, with the id `b1`.
fn two_static(now: Instant) -> Group {
    let mut group = Group::default();
    response(&mut join_as(&mut group, "a1", "a", now)).unwrap();
    let mut second = join_as(&mut group, "b1", "b", now);
    response(&mut join_as(&mut group, "a1", "a", now)).unwrap();
    let listed = response(&mut second).unwrap();
    assert_eq!((listed.generation, listed.members.len()), (2, 0));
    response(&mut sync(&mut group, "a1", &["a1", "b1"], now)).unwrap();
    assert_eq!(group.state, State::Stable);
    group
}

#[test]
fn a_static_member_that_comes_back_has_what_it_had_and_the_others_go_on() {
    let now = Instant::now();
    let mut group = two_static(now);
    let joined = response(&mut join_as(&mut group, "b2", "b", now)).unwrap();
    assert_eq!((joined.generation, joined.instead_of, &*joined.leader), (2, None, "a1"));
    assert_eq!(response(&mut sync(&mut group, "b2", &[], now)), Ok("b1".into()));
    assert_eq!(group.heartbeat(who("a1", 2), now), Ok(()));
    let leader = response(&mut join_as(&mut group, "a2", "a", now)).unwrap();
    assert_eq!(leader.instead_of.as_deref(), Some("a1"));
    assert_eq!((leader.generation, leader.members.len(), &*leader.leader), (2, 2, "a2"));
}

#[test]
fn a_static_member_is_fenced_by_its_next_self() {
    let now = Instant::now();
    let mut group = two_static(now);
    response(&mut join_as(&mut group, "b2", "b", now)).unwrap();
    let before = Identity { instance: Some("b"), ..who("b1", 2) };
    assert_eq!(group.heartbeat(before, now), Err(ResponseError::FencedInstanceId));
    assert_eq!(group.may_commit(before, now), Err(ResponseError::FencedInstanceId));
    let stranger = Identity { instance: Some("c"), ..who("b2", 2) };
    assert_eq!(group.heartbeat(stranger, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.leave("b1", Some("b"), now), Err(ResponseError::FencedInstanceId));
    assert_eq!(group.leave("", Some("b"), now), Ok(()));
    assert!(!group.members.contains_key("b2"));
}

#[test]
fn a_static_member_is_missed_after_its_session_and_not_before() {
    let now = Instant::now();
    let mut group = two_static(now);
    let later = now + SESSION / 2;
    group.heartbeat(who("a1", 2), later).unwrap();
    group.tick(later);
    assert_eq!((group.state, group.members.len()), (State::Stable, 2));
    group.tick(now + SESSION);
    assert_eq!(group.members.keys().collect::<Vec<_>>(), ["a1"]);
    assert!(matches!(group.state, State::Preparing { .. }));
}

#[test]
fn a_group_is_idle_from_when_its_last_member_left() {
    let now = Instant::now();
    let mut group = two(now);
    group.tick(now);
    assert_eq!(group.idle(now + SESSION), Duration::ZERO);
    group.leave("a", None, now).unwrap();
    group.leave("b", None, now).unwrap();
    group.tick(now);
    assert_eq!(group.idle(now + SESSION), SESSION);
    group.note_commit();
    assert_eq!(group.idle(now + SESSION), Duration::ZERO);
}
