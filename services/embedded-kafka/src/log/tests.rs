use super::{super::batch::tests::sent, *};

/// About a tenth of what a partition keeps.
const SIZE: usize = KEPT_CONSUMED / 10;

fn filled(retention: Retention, count: i64) -> Log {
    let mut log = Log::new(retention);
    fill(&mut log, count);
    log
}

fn fill(log: &mut Log, count: i64) {
    for _ in 0..count {
        log.append(Batch::parse(sent(SIZE)).unwrap()).unwrap();
    }
}

fn commit(log: &mut Log, group: &str, offset: i64) {
    let committed = Committed { offset: Some(offset), epoch: 0, metadata: String::new() };
    log.commit(group, committed);
}

#[test]
fn what_a_group_has_yet_to_read_is_kept() {
    let mut log = Log::new(Retention::Consumed);
    commit(&mut log, "slow", 0);
    commit(&mut log, "quick", 0);
    fill(&mut log, 50);
    commit(&mut log, "quick", 50);
    assert_eq!((log.start(), log.end()), (0, 50));
    commit(&mut log, "slow", 20);
    assert_eq!(log.start(), 20);
    assert_eq!(log.read(19, SIZE, true), Err(ResponseError::OffsetOutOfRange));
    commit(&mut log, "slow", 50);
    assert!((40..=42).contains(&log.start()), "{}", log.start());
    assert!(log.size() <= KEPT_CONSUMED);
}

#[test]
fn what_a_group_was_shown_is_kept_before_its_first_commit() {
    let mut log = filled(Retention::Consumed, 3);
    log.reserve("slow");
    fill(&mut log, 50);
    assert_eq!((log.start(), log.committed("slow")), (0, None));
    commit(&mut log, "slow", 53);
    assert!(log.start() > 40);
}

#[test]
fn records_that_no_group_reads_are_kept_up_to_a_limit() {
    let log = filled(Retention::Consumed, 50);
    assert!(log.start() > 30 && log.size() <= KEPT_CONSUMED);
    let mut letters = filled(Retention::Budget, 50);
    commit(&mut letters, "curious", 0);
    assert_eq!(letters.start(), 0);
    fill(&mut letters, 150);
    assert!(letters.start() > 0 && letters.size() <= KEPT_BUDGET);
}

#[test]
fn the_last_batch_stays_where_all_are_beyond_it() {
    let mut log = filled(Retention::Consumed, 1);
    commit(&mut log, "one", 1);
    assert_eq!((log.start(), log.read(1, SIZE, true)), (0, Ok(Vec::new())));
    assert_eq!(log.read(2, SIZE, true), Err(ResponseError::OffsetOutOfRange));
}

#[test]
fn as_much_is_read_as_fits_and_one_batch_at_least() {
    let log = filled(Retention::Consumed, 5);
    let one = sent(SIZE).len();
    let read = |most, at_least_one| {
        log.read(1, most, at_least_one).unwrap().iter().map(Bytes::len).sum::<usize>()
    };
    assert_eq!((read(1, true), read(1, false)), (one, 0));
    assert_eq!((read(2 * one, true), read(2 * one + 1, false)), (2 * one, 2 * one));
    assert_eq!(read(usize::MAX, true), 4 * one);
}

#[test]
fn fetches_that_were_dropped_are_forgotten() {
    let mut log = filled(Retention::Consumed, 1);
    let waiting = Arc::new(Notify::new());
    for _ in 0..100 {
        log.wait(&waiting);
        log.wait(&Arc::new(Notify::new()));
    }
    assert!(log.waiting.len() <= 2);
}
