//! The topics on Kafka, as people want to see them: how full they are and who reads them, the records of one order, the dead
//! letters.
//!
//! Every request has clients of its own, which are gone afterwards: while the page is closed, lens has no connection to Kafka.

mod groups;

use std::{sync::Arc, time::Duration};

use chassis::{Error, Kind};
use event_log::{Client, Found, Handled, Letter, Letters, Limits, Place, Reader, Sender, Topic};
use tokio::{
    runtime::Handle,
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::{Instant, timeout},
};

pub(crate) use self::groups::Group;
use crate::clock::Clock;

/// Requests that use Kafka at once. Each may take some MiB, of the few that lens has beside its data.
const AT_ONCE: usize = 2;
/// The time for an answer. Its port gives up after 10 s.
const LONGEST: Duration = Duration::from_secs(8);
/// The time for one answer of the brokers.
const BROKER_TIMEOUT: Duration = Duration::from_secs(4);
/// For how long an answer about the topics is given to others: several consoles cost no more than one.
const FRESH: Duration = Duration::from_secs(2);
/// Dead letters that one request replays.
const MOST_REPLAYED: usize = 500;

/// An order has some ten records of some hundred bytes.
const ORDER: Limits = Limits {
    records: 100_000,
    bytes: 32 << 20,
    kept_records: 200,
    kept_bytes: 256 << 10,
    time: Some(Duration::from_secs(4)),
};
/// A page shows some hundred dead letters. `mesh dlq` has no limits.
const LETTERS: Limits = Limits {
    records: 20_000,
    bytes: 16 << 20,
    kept_records: 2_000,
    kept_bytes: 2 << 20,
    time: Some(Duration::from_secs(4)),
};

/// The topics and who reads them, at one moment.
pub(crate) struct Overview {
    pub(crate) topics: Vec<Topic>,
    pub(crate) groups: Vec<Group>,
    /// The records that are sent to a topic in a second, as the services count them.
    pub(crate) rates: Vec<(String, f64)>,
}

/// What became of a request to replay all.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) done: Vec<Place>,
    pub(crate) failed: Vec<(Place, Error)>,
    /// Letters that were not tried.
    pub(crate) left: usize,
}

/// Answers about the topics.
pub(crate) struct Events {
    client: Client,
    series: Arc<timeseries::Store>,
    clock: Clock,
    places: Arc<Semaphore>,
    last: Mutex<Option<(Instant, Arc<Overview>)>>,
}

impl Events {
    pub(crate) fn new(
        kafka: &chassis::kafka::Settings,
        series: &Arc<timeseries::Store>,
        clock: Clock,
    ) -> Self {
        Self {
            client: Client::new("lens", kafka.clone(), BROKER_TIMEOUT),
            series: Arc::clone(series),
            clock,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            last: Mutex::new(None),
        }
    }

    /// The topics and the groups. An answer that is younger than [`FRESH`] is given again.
    pub(crate) async fn overview(&self) -> Result<Arc<Overview>, Error> {
        let mut last = self.last.lock().await;
        if let Some((at, overview)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(overview));
        }
        let (series, now_ms) = (Arc::clone(&self.series), self.clock.now_ms());
        let read = self.run(move |client| {
            let reader = client.reader()?;
            let topics = reader.topics()?;
            let groups = groups::all(client, &reader, &topics, &series, now_ms)?;
            Ok(Overview { rates: groups::rates(&series, now_ms), topics, groups })
        });
        let overview = Arc::new(read.await?);
        *last = Some((Instant::now(), Arc::clone(&overview)));
        Ok(overview)
    }

    /// The records of an order.
    pub(crate) async fn of_order(&self, id: String) -> Result<Found, Error> {
        self.run(move |client| Ok(client.reader()?.keyed(&id, ORDER))).await
    }

    /// The newest dead letters.
    pub(crate) async fn letters(&self) -> Result<Letters, Error> {
        self.run(|client| Ok(client.reader()?.letters(LETTERS))).await
    }

    /// One dead letter and how it was handled; `None` if it waits.
    pub(crate) async fn letter(&self, place: Place) -> Result<(Letter, Option<Handled>), Error> {
        self.run(move |client| find(&client.reader()?, &place)).await
    }

    /// Replays or discards a dead letter that waits.
    pub(crate) async fn handle(&self, place: Place, how: Handled) -> Result<(), Error> {
        self.run(move |client| {
            let (letter, handled) = find(&client.reader()?, &place)?;
            if let Some(before) = handled {
                let text = format!("{place} was {before} before");
                return Err(Error::new(Kind::Precondition, text).reason("ALREADY_HANDLED"));
            }
            let sender = client.sender()?;
            Handle::current().block_on(send(&sender, &letter, how))
        })
        .await
    }

    /// Replays the dead letters that wait, oldest first. A failure does not stop the others, unless the broker no longer answers.
    pub(crate) async fn replay_all(&self) -> Result<Replayed, Error> {
        let end = Instant::now() + LONGEST / 2;
        self.run(move |client| {
            let queue = client.reader()?.letters(LETTERS).queue;
            let waiting: Vec<_> =
                queue.letters().filter(|letter| queue.handled(letter).is_none()).collect();
            let mut result = Replayed::default();
            let sender = if waiting.is_empty() { None } else { Some(client.sender()?) };
            for (index, letter) in waiting.iter().enumerate() {
                let Some(sender) = &sender else { break };
                let replayed = Handle::current().block_on(send(sender, letter, Handled::Replayed));
                let failed = replayed.is_err();
                match replayed {
                    Ok(()) => result.done.push(letter.place().clone()),
                    Err(error) => result.failed.push((letter.place().clone(), error)),
                }
                let is_over = index + 1 >= MOST_REPLAYED || Instant::now() >= end;
                if is_over || (failed && sender.ask().is_err()) {
                    result.left = waiting.len() - index - 1;
                    break;
                }
            }
            Ok(result)
        })
        .await
    }

    /// Sends a record that no service can decode.
    pub(crate) async fn poison(
        &self,
        topic: String,
        key: Option<String>,
        event_id: String,
    ) -> Result<Place, Error> {
        self.run(move |client| {
            let sender = client.sender()?;
            Handle::current().block_on(sender.poison(&topic, key.as_deref(), &event_id))
        })
        .await
    }

    /// Works on a thread that may block. When the time is over, the thread ends with its next answer from Kafka; until then it
    /// counts as running.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Client) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + LONGEST;
        let place = timeout(LONGEST / 2, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            let text = format!("{AT_ONCE} requests are reading Kafka; try again in a moment");
            return Err(Error::new(Kind::Unavailable, text).reason("BUSY"));
        };
        let client = self.client.clone();
        let running = spawn_blocking(move || {
            let _until_done = place;
            work(&client)
        });
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, running).await {
            Ok(Ok(result)) => result,
            Ok(Err(panicked)) => {
                Err(Error::new(Kind::Internal, "a request to Kafka panicked").source(panicked))
            }
            Err(_) => {
                let text = format!("Kafka did not answer within {} s", LONGEST.as_secs());
                Err(Error::new(Kind::DeadlineExceeded, text).reason("KAFKA_UNAVAILABLE"))
            }
        }
    }
}

/// The letter, whose notes are newer than it.
fn find(reader: &Reader, place: &Place) -> Result<(Letter, Option<Handled>), Error> {
    let Letters { queue, complete, unread } = reader.letters(LETTERS);
    if let Some(letter) = queue.find(place) {
        return Ok((letter.clone(), queue.handled(letter)));
    }
    let text = match unread.first() {
        Some(error) => {
            return Err(Error::new(Kind::Unavailable, error.clone()).reason("KAFKA_UNAVAILABLE"));
        }
        None if complete || reader.letter(place)?.is_none() => {
            format!("there is no dead letter {place}")
        }
        None => format!(
            "{place} is older than the newest {} dead letters that lens reads; use mesh dlq",
            LETTERS.kept_records
        ),
    };
    Err(Error::new(Kind::NotFound, text).reason("NO_SUCH_DEAD_LETTER"))
}

async fn send(sender: &Sender, letter: &Letter, how: Handled) -> Result<(), Error> {
    match how {
        Handled::Replayed => sender.replay(letter).await,
        Handled::GivenUp => sender.give_up(letter).await,
    }
}
