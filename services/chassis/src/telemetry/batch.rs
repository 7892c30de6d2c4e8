//! Collects telemetry and sends it in batches, without ever blocking the code that records it.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::metrics::IntCounter;

crate::metrics! {
    /// What became of spans and log records.
    pub struct Accounts in "mesh" {
        /// Spans by state: started, exported, or dropped because the queue was full or the export failed.
        spans_total: IntCounterVec["state"],
        /// Log records for OTLP by state: started, exported, or dropped.
        log_records_total: IntCounterVec["state"],
    }
}

/// How long a batch waits for more items before it is sent.
const DELAY: Duration = Duration::from_millis(100);

/// The most items of a batch: at about 1 KiB a span, below a collector's usual limit of 4 MiB per message.
const BATCH: usize = 1024;

/// The counters of one signal.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) started: IntCounter,
    pub(super) exported: IntCounter,
    /// Dropped because the queue was full.
    pub(super) overflowed: IntCounter,
    /// Dropped because the export failed.
    pub(super) failed: IntCounter,
}

impl Account {
    pub(super) fn of(states: &prometheus::IntCounterVec) -> Self {
        let state = |name: &str| states.with_label_values(&[name]);
        Self {
            started: state("started"),
            exported: state("exported"),
            overflowed: state("dropped"),
            failed: state("dropped"),
        }
    }
}

/// What a queue holds: one span or log record, or several that came together.
pub(super) trait Item: Send + 'static {
    /// The number of spans or log records.
    fn count(&self) -> u64 {
        1
    }
}

/// The queue into which telemetry is put.
#[derive(Clone, Debug)]
pub(super) struct Queue<T> {
    queue: Sender<T>,
    account: Account,
}

impl<T: Item> Queue<T> {
    /// A queue of this length, and its other end.
    pub(super) fn new(length: usize, account: Account) -> (Self, Receiver<T>) {
        let (queue, receiver) = mpsc::channel(length.max(1));
        (Self { queue, account }, receiver)
    }

    pub(super) fn start(&self, count: u64) {
        self.account.started.inc_by(count);
    }

    /// Never blocks: what does not fit into the queue is counted as dropped. Returns whether it fitted.
    pub(super) fn put(&self, item: T) -> bool {
        let count = item.count();
        let fits = self.queue.try_send(item).is_ok();
        if !fits {
            self.account.overflowed.inc_by(count);
        }
        fits
    }
}

/// The time limit for sending all remaining batches at the end: a collector that accepts connections but does not answer must
/// not delay the exit beyond a pod's grace period.
const FLUSH: Duration = Duration::from_secs(3);

/// The task that sends batches until it is to finish.
pub(super) struct Batches {
    task: JoinHandle<()>,
    end: End,
}

/// Says when to finish, and when to give up.
#[derive(Clone, Default)]
struct End {
    begun: CancellationToken,
    deadline: Arc<OnceLock<Instant>>,
}

impl End {
    fn begin(&self) {
        self.deadline.get_or_init(|| Instant::now() + FLUSH);
        self.begun.cancel();
    }

    /// Returns when the time to finish is over.
    async fn reached(&self) {
        self.begun.cancelled().await;
        if let Some(deadline) = self.deadline.get() {
            sleep_until(*deadline).await;
        }
    }
}

impl Batches {
    /// Sends the queued items and ends; what cannot be sent in time counts as dropped.
    pub(super) async fn finish(self) {
        self.end.begin();
        // A task that panicked has nothing left to send.
        drop(self.task.await);
    }
}

/// Starts the task; `export` returns whether the batch was sent.
#[expect(
    clippy::disallowed_methods,
    reason = "telemetry outlives the tasks that App::spawn owns, so that it reports their end, too"
)]
pub(super) fn start<T, F>(
    queue: usize,
    limit: Duration,
    account: Account,
    export: impl Fn(Vec<T>) -> F + Send + 'static,
) -> (Queue<T>, Batches)
where
    T: Item,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (queue, receiver) = Queue::new(queue, account.clone());
    let end = End::default();
    let task = tokio::spawn(run(receiver, limit, account, export, end.clone()));
    (queue, Batches { task, end })
}

async fn run<T, F>(
    mut queue: Receiver<T>,
    limit: Duration,
    account: Account,
    export: impl Fn(Vec<T>) -> F,
    end: End,
) where
    T: Item,
    F: Future<Output = Result<(), String>>,
{
    let mut away = false;
    loop {
        let mut batch = Vec::new();
        let first = tokio::select! {
            biased;
            first = queue.recv() => first,
            () = end.begun.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        let Some(first) = first else { return };
        batch.push(first);
        if queue.len() < BATCH {
            tokio::select! { () = sleep(DELAY) => {} () = end.begun.cancelled() => {} }
        }
        while batch.len() < BATCH {
            let Ok(next) = queue.try_recv() else { break };
            batch.push(next);
        }
        let count = batch.iter().map(Item::count).sum();
        let result = tokio::select! {
            biased;
            () = end.reached() => Err("the process ended before it was sent".into()),
            sent = timeout(limit, export(batch)) => {
                sent.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
            }
        };
        match result {
            Ok(()) => account.exported.inc_by(count),
            Err(_) => account.failed.inc_by(count),
        }
        // At the end a failure is not logged: lens, for one, is its own collector and cannot send its last lines.
        if !end.begun.is_cancelled() {
            report(&mut away, result);
        }
    }
}

/// Logs the start and the end of an outage once each: a line for every lost batch would be lost, too.
fn report(away: &mut bool, result: Result<(), String>) {
    match result {
        Err(error) if !*away => {
            tracing::warn!(error, "telemetry cannot be sent and is dropped until it can")
        }
        Ok(()) if *away => tracing::info!("telemetry is sent again"),
        Ok(()) | Err(_) => return,
    }
    *away = !*away;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::metrics::Registry;

    impl Item for u64 {}

    fn account() -> Account {
        Account::of(&Accounts::register(&Registry::new()).unwrap().spans_total)
    }

    #[tokio::test]
    async fn what_was_handed_in_is_sent_before_the_end() {
        let (sent, account) = (Arc::new(Mutex::new(Vec::new())), account());
        let into = Arc::clone(&sent);
        let (queue, batches) = start(5000, Duration::from_secs(1), account.clone(), move |batch| {
            into.lock().extend(batch);
            async { Ok(()) }
        });
        for number in 0..3000 {
            queue.start(1);
            queue.put(number);
        }
        batches.finish().await;
        assert_eq!(*sent.lock(), (0..3000).collect::<Vec<_>>());
        assert_eq!((account.exported.get(), account.failed.get()), (3000, 0));
    }

    /// Each batch alone would use up its whole time limit.
    #[tokio::test(start_paused = true)]
    async fn a_silent_collector_holds_up_the_end_once_and_not_once_a_batch() {
        let account = account();
        let (queue, batches) = start(8192, FLUSH, account.clone(), |_| std::future::pending());
        for number in 0..8192 {
            queue.start(1);
            queue.put(number);
        }
        // One batch is being sent, and seven wait.
        sleep(DELAY * 2).await;
        let begun = Instant::now();
        batches.finish().await;
        assert!(begun.elapsed() <= FLUSH + DELAY, "{:?}", begun.elapsed());
        assert_eq!((account.exported.get(), account.failed.get()), (0, 8192));
    }

    #[tokio::test]
    async fn every_item_is_exported_or_counted_as_dropped() {
        let account = account();
        let (queue, batches) =
            start(10, Duration::from_secs(1), account.clone(), |_| async { Err("away".into()) });
        for number in 0..25 {
            queue.start(1);
            queue.put(number);
        }
        batches.finish().await;
        queue.start(1);
        queue.put(99);
        assert_eq!(
            (account.started.get(), account.exported.get(), account.failed.get()),
            (26, 0, 26)
        );
    }
}
