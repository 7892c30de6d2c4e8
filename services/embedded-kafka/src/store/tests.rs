use super::{super::batch::tests::sent, *};

const SIZE: usize = 100_000;
const ORDERS: &str = "orders.events";
const PAYMENTS: &str = "payments.events";

fn store(limit: usize) -> Store {
    let topic =
        |name: &str| Topic { name: name.into(), partitions: 3, retention: Retention::Consumed };
    Store::new(vec![topic(ORDERS), topic(PAYMENTS)], limit)
}

fn committed(offset: i64) -> Committed {
    Committed { offset: Some(offset), epoch: 0, metadata: String::new() }
}

fn held(store: &Store) -> usize {
    let topics = store.topics.read();
    topics.values().flatten().map(|log| log.lock().size()).sum()
}

/// Fills a partition until a batch is refused; returns the number of batches.
fn fill(store: &Store, topic: &str) -> usize {
    (0..100).take_while(|_| store.append(topic, 0, sent(SIZE)).is_ok()).count()
}

#[test]
fn beyond_the_limit_the_new_is_refused_and_not_the_unread_forgotten() {
    let store = store(20 * SIZE);
    let topic = ORDERS;
    store.reserve(topic, 0, "slow");
    assert_eq!(fill(&store, topic), 19);
    store.make_room(SIZE, &[]);
    let full = store.full().unwrap();
    assert_eq!((&*full.topic, full.group.as_deref()), (topic, Some("slow")));
    assert_eq!(store.append(topic, 1, sent(SIZE)), Err(ResponseError::NotEnoughReplicas));
    store.commit(topic, 0, "slow", committed(19), true).unwrap();
    assert_eq!(store.append(topic, 1, sent(SIZE)), Ok((0, 0)));
    assert_eq!(store.full(), None);
    assert_eq!(store.held.load(Relaxed), held(&store));
}

#[test]
fn groups_that_only_look_give_way_in_their_order_and_no_more_than_necessary() {
    let store = store(20 * SIZE);
    let (mine, theirs) = (ORDERS, PAYMENTS);
    store.reserve(mine, 0, "looked");
    for _ in 0..10 {
        store.append(mine, 0, sent(SIZE)).unwrap();
    }
    store.reserve(theirs, 0, "looks");
    fill(&store, theirs);
    store.make_room(SIZE, &["looked".into(), "looks".into()]);
    assert_eq!((store.full(), store.append(theirs, 0, sent(SIZE)).is_ok()), (None, true));
    let start = |topic| store.with(topic, 0, |log| log.start()).unwrap();
    assert_eq!((start(mine), start(theirs)), (10, 0));
    // Its committed offset remains, and its next commit protects records again.
    store.commit(mine, 0, "looked", committed(10), false).unwrap();
    assert_eq!(store.held.load(Relaxed), held(&store));
}

#[test]
fn what_no_group_reads_goes_before_anything_is_refused() {
    let store = store(20 * SIZE);
    for number in 0..5 {
        store.create(&format!("foreign.{number}"), 1, false).unwrap();
        fill(&store, &format!("foreign.{number}"));
    }
    assert_eq!(fill(&store, ORDERS), 0);
    store.make_room(SIZE, &[]);
    assert!(store.append(ORDERS, 0, sent(SIZE)).is_ok());
}

#[test]
fn a_deleted_topic_takes_nothing_with_it_and_gets_nothing_more() {
    let store = store(20 * SIZE);
    store.create("foreign", 2, false).unwrap();
    fill(&store, "foreign");
    let unknown = Err(ResponseError::UnknownTopicOrPartition);
    assert_eq!(store.delete("foreign"), Ok(()));
    assert_eq!(store.append("foreign", 0, sent(10)).map(drop), unknown);
    assert_eq!((store.delete("foreign"), store.held.load(Relaxed)), (unknown, 0));
    let own = store.delete(ORDERS);
    assert_eq!(own, Err(ResponseError::TopicDeletionDisabled));
}

#[test]
fn the_offsets_of_strangers_are_bounded_together() {
    let store = store(20 * SIZE);
    let long = Committed { metadata: "x".repeat(4_000), ..committed(0) };
    let commit = |number: usize, is_own| {
        let group = format!("group-{number}");
        store.commit(ORDERS, 0, &group, long.clone(), is_own)
    };
    let count = (0..10_000).take_while(|number| commit(*number, false).is_ok()).count();
    assert!((1_000..3_000).contains(&count), "{count}");
    assert_eq!(commit(count, false), Err(ResponseError::InvalidCommitOffsetSize));
    assert_eq!(commit(count, true), Ok(()));
    for number in 0..=count {
        store.release(&format!("group-{number}"));
    }
    assert_eq!(store.offsets.load(Relaxed), 0);
}

#[test]
fn topics_are_bounded() {
    let store = store(SIZE);
    let made = (0..1_000).take_while(|number| {
        store.create(&format!("topic-{number}"), MAX_TOPIC_PARTITIONS, false).is_ok()
    });
    let made = made.count();
    assert!(made * MAX_TOPIC_PARTITIONS <= MAX_PARTITIONS);
    assert_eq!(store.create("one.more", 64, true), Err(ResponseError::PolicyViolation));
    assert_eq!(store.create("x", 65, true), Err(ResponseError::InvalidPartitions));
}
