//! Decides what is handled when: events of one key one after the other, keys at once, and commits what is done with.

mod leave;
mod poison;

use std::{
    collections::HashMap,
    sync::{Arc, mpsc as sync},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::poison::Refused;
use super::{
    Committed, Settings,
    ends::Surveyor,
    health::Health,
    partition::{Partition, Work},
    poll::{Ears, Input, Position, list},
    record::Record,
    route::Route,
    unreadable::Examiner,
};

/// Offsets that moved are committed this often. What a crash lets be delivered again is what was done in between.
const COMMIT: Duration = Duration::from_millis(100);
/// How often the age of the oldest event is told, and asked what was added to partitions that are paused.
const TELL: Duration = Duration::from_secs(1);

type Id = (&'static str, i32);

/// The routes of a consumer by their topic.
pub(super) type Routes = HashMap<&'static str, Arc<dyn Route>>;

pub(super) struct Dispatcher {
    consumer: Arc<BaseConsumer<Ears>>,
    routes: Routes,
    settings: Settings,
    health: Health,
    draining: CancellationToken,
    partitions: HashMap<Id, Owned>,
    epoch: u64,
    tasks: JoinSet<Done>,
    leaving: Vec<HandOver>,
    commit_at: Option<Instant>,
    tell_at: Instant,
    surveyor: Surveyor,
    examiner: Examiner,
    refused: Option<Refused>,
    committed: Committed,
}

/// A partition, and which assignment of it: what is left of an earlier one must not count for a later one.
struct Owned {
    partition: Partition,
    epoch: u64,
}

struct Done {
    id: Id,
    epoch: u64,
    lane: u64,
    offsets: Vec<i64>,
}

/// Partitions that somebody else waits for.
struct HandOver {
    ids: Vec<Id>,
    until: Instant,
    answer: sync::Sender<Vec<Position>>,
}

impl Dispatcher {
    pub(super) fn new(
        consumer: Arc<BaseConsumer<Ears>>,
        routes: Routes,
        settings: Settings,
        health: Health,
        draining: CancellationToken,
        committed: Committed,
    ) -> Self {
        let examiner = Examiner::new(settings.consumer(consumer.context().group));
        Self {
            consumer,
            routes,
            settings,
            health,
            draining,
            partitions: HashMap::new(),
            epoch: 0,
            tasks: JoinSet::new(),
            leaving: Vec::new(),
            commit_at: None,
            tell_at: Instant::now(),
            surveyor: Surveyor::default(),
            examiner,
            refused: None,
            committed,
        }
    }

    /// Dispatches until the drain, then until nothing is in flight, at most for `grace`; what to commit at the end.
    pub(super) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        grace: Duration,
    ) -> Vec<Position> {
        let draining = self.draining.clone();
        let mut deadline = None;
        loop {
            if deadline.is_some() && self.partitions.values().all(|owned| owned.partition.is_idle())
            {
                break;
            }
            let next = self.next_due(deadline);
            tokio::select! {
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.done(done),
                    Err(error) if error.is_panic() => tracing::error!(error = %error, "a partition is stuck"),
                    Err(_) => {}
                },
                input = inputs.recv() => match input {
                    Some(input) => self.input(input),
                    None => break,
                },
                () = sleep_until(next) => {
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        tracing::warn!("what is in flight took too long and will be delivered again");
                        break;
                    }
                    self.due();
                }
                () = draining.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + grace);
                    self.wind_up();
                }
            }
        }
        for owned in self.partitions.values_mut() {
            owned.partition.abort();
        }
        let ids: Vec<_> = self.partitions.keys().copied().collect();
        let positions = self.positions(&ids);
        self.surveyor.end().await;
        self.examiner.end().await;
        positions
    }

    fn next_due(&self, deadline: Option<Instant>) -> Instant {
        let batches = self.partitions.values().filter_map(|owned| self.batch_due(&owned.partition));
        let leaving = self.leaving.iter().map(|hand_over| hand_over.until);
        batches
            .chain(leaving)
            .chain(self.commit_at)
            .chain(deadline)
            .fold(self.tell_at, Instant::min)
    }

    fn batch_due(&self, partition: &Partition) -> Option<Instant> {
        partition.batch_due(self.settings.batch, self.settings.batch_wait)
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Record(record) => self.record(record),
            Input::Assigned(partitions) => {
                for (topic, partition, start) in partitions {
                    let Some(route) = self.routes.get(topic.as_str()) else { continue };
                    self.epoch += 1;
                    let id = (route.scope().topic, partition);
                    self.committed.set(&topic, partition, start.unwrap_or(-1));
                    let (route, cancel) = (Arc::clone(route), self.draining.child_token());
                    let partition = Partition::new(route, cancel, start);
                    self.partitions.insert(id, Owned { partition, epoch: self.epoch });
                }
                self.share();
            }
            Input::Revoked { partitions, lost, answer } => self.revoke(&partitions, lost, answer),
            Input::Refused(error) => self.refused(error),
            Input::Committed(positions) => {
                for (topic, partition, offset) in positions {
                    self.confirm(&topic, partition, offset);
                }
            }
        }
    }

    fn record(&mut self, record: Record) {
        let Some(id) = self.id(&record.topic, record.partition) else { return };
        self.passed_over(id, record.offset);
        let Some(owned) = self.partitions.get_mut(&id) else { return };
        // Moving away, or stopping.
        if owned.partition.cancel.is_cancelled() {
            return;
        }
        let offset = record.offset;
        let gap = owned.partition.take(record);
        if gap > 0 {
            owned.partition.route.scope().metrics.gaps.inc_by(gap.unsigned_abs());
            tracing::error!(
                topic = id.0,
                partition = id.1,
                offset,
                records = gap,
                "records were dropped before they were read"
            );
        }
        self.fill(id);
        self.commit_soon();
        self.throttle(id);
    }

    /// What may be in flight is shared evenly by the partitions.
    fn share(&mut self) {
        let each = self.settings.concurrency / self.partitions.len().max(1);
        self.partitions.values_mut().for_each(|owned| owned.partition.limit(each));
        let ids: Vec<_> = self.partitions.keys().copied().collect();
        for id in ids {
            self.fill(id);
            self.throttle(id);
        }
    }

    fn fill(&mut self, id: Id) {
        while let Some(work) = self.partitions.get_mut(&id).and_then(|owned| owned.partition.next())
        {
            self.start(id, work);
        }
    }

    /// Commits once more what the broker does not have: it refuses some while a group rebalances.
    fn confirm(&mut self, topic: &str, partition: i32, offset: i64) {
        let Some(owned) = self.id(topic, partition).and_then(|id| self.partitions.get_mut(&id))
        else {
            return;
        };
        self.committed.set(topic, partition, offset);
        if !owned.partition.confirm(offset) {
            self.commit_soon();
        }
    }

    fn id(&self, topic: &str, partition: i32) -> Option<Id> {
        self.routes.get(topic).map(|route| (route.scope().topic, partition))
    }

    fn start(&mut self, id: Id, work: Work) {
        let Some(Owned { partition, epoch }) = self.partitions.get_mut(&id) else { return };
        let (epoch, lane) = (*epoch, work.lane);
        let process = Arc::clone(&partition.route).process(work.records, partition.cancel.clone());
        let handle =
            self.tasks.spawn(async move { Done { id, epoch, lane, offsets: process.await } });
        partition.started(lane, handle);
    }

    fn done(&mut self, done: Done) {
        let Some(owned) =
            self.partitions.get_mut(&done.id).filter(|owned| owned.epoch == done.epoch)
        else {
            return;
        };
        owned.partition.finish(done.lane, &done.offsets);
        self.fill(done.id);
        self.commit_soon();
        self.throttle(done.id);
        self.hand_over();
    }

    /// Stops or resumes fetching a partition. Both only tell the client's own thread.
    fn throttle(&mut self, id: Id) {
        let Some(Owned { partition, .. }) = self.partitions.get_mut(&id) else { return };
        let full = partition.is_full();
        if full == partition.paused || partition.cancel.is_cancelled() {
            return;
        }
        let mut one = TopicPartitionList::with_capacity(1);
        one.add_partition(id.0, id.1);
        let result = if full { self.consumer.pause(&one) } else { self.consumer.resume(&one) };
        match result {
            Ok(()) => partition.paused = full,
            Err(error) => {
                tracing::warn!(topic = id.0, partition = id.1, error = %error, "pause or resume failed")
            }
        }
    }

    fn due(&mut self) {
        let now = Instant::now();
        if self.commit_at.is_some_and(|at| at <= now) {
            self.commit();
        }
        if self.tell_at <= now {
            self.tell_age();
            self.examine();
            self.watch_progress();
            let paused = self.partitions.iter().filter(|(_, owned)| owned.partition.paused);
            let paused = paused.map(|((topic, partition), _)| ((*topic).to_owned(), *partition));
            self.surveyor.ask(&self.consumer, paused.collect());
            self.tell_at = now + TELL;
        }
        let ready = |owned: &Owned| self.batch_due(&owned.partition).is_some_and(|due| due <= now);
        let ids: Vec<_> =
            self.partitions.iter().filter(|(_, owned)| ready(owned)).map(|(id, _)| *id).collect();
        for id in ids {
            let owned = self.partitions.get_mut(&id);
            if let Some(work) = owned.and_then(|owned| owned.partition.batch(self.settings.batch)) {
                self.start(id, work);
            }
        }
        self.hand_over();
    }

    fn commit_soon(&mut self) {
        self.commit_at.get_or_insert_with(|| Instant::now() + COMMIT);
    }

    fn commit(&mut self) {
        self.commit_at = None;
        let ids: Vec<_> = self.partitions.keys().copied().collect();
        let positions = self.positions(&ids);
        if positions.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.commit(&list(&positions), CommitMode::Async) {
            tracing::warn!(error = %error, "offsets were not committed, trying again");
        }
    }

    /// What to commit of these partitions; it counts as committed.
    fn positions(&mut self, ids: &[Id]) -> Vec<Position> {
        let mut positions = Vec::new();
        for id in ids {
            let Some(Owned { partition, .. }) = self.partitions.get_mut(id) else { continue };
            if let Some(offset) = partition.uncommitted() {
                partition.asked(offset);
                positions.push((id.0.to_owned(), id.1, offset));
            }
        }
        positions
    }

    fn tell_age(&self) {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        for (topic, route) in &self.routes {
            let own = self.partitions.iter().filter(|((of, _), _)| of == topic);
            let oldest = own.filter_map(|(_, owned)| owned.partition.oldest_ms()).min();
            let age = oldest.map_or(0, |oldest| (now - oldest).max(0));
            route.scope().metrics.oldest_age.set(age as f64 / 1000.0);
        }
    }
}
