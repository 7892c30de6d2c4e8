//! A few metrics of one process over the last five minutes.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::cost;

/// As far back as the topology.
pub(crate) const REACH: Duration = Duration::from_secs(300);

/// One sample a second for five minutes; with more frequent scrapes, the history is shorter.
const MOST: usize = 300;

/// The counters of one kind of work, since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Work {
    pub(super) total: f64,
    pub(super) errors: f64,
    /// Upper bounds in seconds, ascending, each with the number that took at most that long.
    pub(super) buckets: Vec<(f64, f64)>,
}

impl Work {
    pub(super) fn add_bucket(&mut self, bound: f64, count: f64) {
        match self.buckets.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
            Ok(place) => self.buckets[place].1 += count,
            Err(place) => self.buckets.insert(place, (bound, count)),
        }
    }

    fn is_less_than(&self, other: &Self) -> bool {
        self.total < other.total
    }

    fn since(&self, earlier: Option<&Self>, seconds: f64) -> Red {
        let zero = Self::default();
        let earlier = earlier.unwrap_or(&zero);
        let before = |bound| {
            earlier
                .buckets
                .iter()
                .find(|(known, _)| *known == bound)
                .map_or(0.0, |(_, count)| *count)
        };
        let buckets: Vec<_> =
            self.buckets.iter().map(|(bound, count)| (*bound, count - before(*bound))).collect();
        Red {
            rate: (self.total - earlier.total) / seconds,
            errors_per_second: (self.errors - earlier.errors) / seconds,
            p50_seconds: quantile(&buckets, 0.5),
            p99_seconds: quantile(&buckets, 0.99),
        }
    }
}

/// As PromQL's `histogram_quantile`: linear within a bucket; above the last finite bound, that bound.
fn quantile(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let wanted = total * quantile;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= wanted {
            let share = (wanted - below) / (count - below);
            return Some(if bound.is_finite() { low + (bound - low) * share } else { low });
        }
        (low, below) = (*bound, *count);
    }
    None
}

/// The metrics of a process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) requests: Option<Work>,
    pub(super) messages: Option<Work>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) started_seconds: Option<f64>,
    pub(super) consumer_lag: Option<f64>,
}

impl Sample {
    fn bytes(&self) -> usize {
        let work = [&self.requests, &self.messages].into_iter().flatten();
        size_of::<(Instant, Self)>()
            + work
                .map(|work| cost::allocation(work.buckets.capacity() * size_of::<(f64, f64)>()))
                .sum::<usize>()
    }

    /// Whether the process has restarted since: its counters begin at zero again.
    fn is_of_another_life(&self, earlier: &Self) -> bool {
        let fell = |now: &Option<Work>, then: &Option<Work>| match (now, then) {
            (Some(now), Some(then)) => now.is_less_than(then),
            (now, then) => now.is_none() && then.is_some(),
        };
        self.started_seconds != earlier.started_seconds
            || fell(&self.requests, &earlier.requests)
            || fell(&self.messages, &earlier.messages)
    }
}

/// Rate, errors, durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Red {
    pub(crate) rate: f64,
    pub(crate) errors_per_second: f64,
    pub(crate) p50_seconds: Option<f64>,
    pub(crate) p99_seconds: Option<f64>,
}

/// The state of a process over a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Vitals {
    pub(crate) memory_bytes: Option<f64>,
    pub(crate) cpu_cores: Option<f64>,
    pub(crate) started_seconds: Option<f64>,
    pub(crate) consumer_lag: Option<f64>,
    pub(crate) requests: Option<Red>,
    pub(crate) messages: Option<Red>,
}

/// CPU and memory of a process at equal distances, the newest last; `None` where there was no scrape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points {
    pub(crate) step: Duration,
    pub(crate) cpu_cores: Vec<Option<f64>>,
    pub(crate) memory_bytes: Vec<Option<f64>>,
}

#[derive(Default)]
pub(super) struct History {
    samples: VecDeque<(Instant, Sample)>,
}

impl History {
    pub(super) fn bytes(&self) -> usize {
        self.samples.iter().map(|(_, sample)| sample.bytes()).sum()
    }

    pub(super) fn add(&mut self, at: Instant, sample: Sample) {
        if self.samples.back().is_some_and(|(_, last)| sample.is_of_another_life(last)) {
            self.samples.clear();
        }
        self.samples.push_back((at, sample));
        while self.samples.len() > MOST
            || self.samples.front().is_some_and(|(oldest, _)| at - *oldest > REACH)
        {
            self.samples.pop_front();
        }
    }

    /// When the process started that was scraped last.
    pub(super) fn started_seconds(&self) -> Option<f64> {
        self.samples.back().and_then(|(_, last)| last.started_seconds)
    }

    /// The last sample of each of `count` equal parts of the window before `now`.
    pub(super) fn points(&self, window: Duration, count: usize, now: Instant) -> Points {
        let step = window / count.max(1) as u32;
        let mut last_of = vec![None; count];
        let mut before = None;
        for (at, sample) in &self.samples {
            let age = now.saturating_duration_since(*at);
            let place = (age.as_secs_f64() / step.as_secs_f64()) as usize;
            match count.checked_sub(place + 1) {
                Some(index) => last_of[index] = Some((*at, sample)),
                None => before = Some((*at, sample)),
            }
        }
        let mut cpu_cores = Vec::with_capacity(count);
        for last in &last_of {
            let pair = last.and_then(|last| Some((before.replace(last)?, last)));
            let cores = |((then, old), (now, new)): ((Instant, &Sample), (Instant, &Sample))| {
                Some((new.cpu_seconds? - old.cpu_seconds?) / (now - then).as_secs_f64())
            };
            cpu_cores.push(pair.and_then(cores));
        }
        let memory_bytes = last_of.iter().map(|last| last.and_then(|(_, one)| one.memory_bytes));
        Points { step, cpu_cores, memory_bytes: memory_bytes.collect() }
    }

    /// The rates between the first sample within the window and the last sample.
    pub(super) fn over(&self, window: Duration) -> Vitals {
        let Some((end, last)) = self.samples.back() else { return Vitals::default() };
        let first = self.samples.iter().find(|(at, _)| *end - *at <= window);
        let (begin, first) = first.map_or((*end, last), |(at, sample)| (*at, sample));
        let seconds = (*end - begin).as_secs_f64();
        let red = |last: &Option<Work>, first: &Option<Work>| {
            last.as_ref().filter(|_| seconds > 0.0).map(|work| work.since(first.as_ref(), seconds))
        };
        Vitals {
            memory_bytes: last.memory_bytes,
            cpu_cores: last
                .cpu_seconds
                .zip(first.cpu_seconds)
                .filter(|_| seconds > 0.0)
                .map(|(l, f)| (l - f) / seconds),
            started_seconds: last.started_seconds,
            consumer_lag: last.consumer_lag,
            requests: red(&last.requests, &first.requests),
            messages: red(&last.messages, &first.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(total: f64, errors: f64, fast: f64) -> Sample {
        let buckets = vec![(0.01, fast), (0.1, total), (f64::INFINITY, total)];
        let requests = Some(Work { total, errors, buckets });
        Sample {
            requests,
            cpu_seconds: Some(total / 1_000.0),
            started_seconds: Some(1.0),
            ..Sample::default()
        }
    }

    #[tokio::test]
    async fn rates_and_quantiles_are_those_of_the_window() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut history = History::default();
        history.add(start, sample(5_000.0, 500.0, 0.0)); // long ago, it was slow
        history.add(start + second * 100, sample(6_000.0, 500.0, 1_000.0));
        assert_eq!(history.over(second * 60).requests, None, "one sample tells no rate");
        history.add(start + second * 110, sample(7_000.0, 510.0, 1_990.0));
        let vitals = history.over(second * 60);
        let red = vitals.requests.unwrap();
        assert_eq!((red.rate, red.errors_per_second), (100.0, 1.0));
        assert_eq!(red.p99_seconds, Some(0.01));
        assert_eq!(vitals.cpu_cores, Some(0.1));
    }

    #[tokio::test]
    async fn a_process_that_started_again_counts_from_zero() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut history = History::default();
        history.add(start, sample(5_000.0, 0.0, 0.0));
        history
            .add(start + second, Sample { started_seconds: Some(9.0), ..sample(10.0, 0.0, 10.0) });
        history.add(
            start + second * 2,
            Sample { started_seconds: Some(9.0), ..sample(30.0, 0.0, 30.0) },
        );
        assert_eq!(history.over(second * 60).requests.unwrap().rate, 20.0);
    }

    #[tokio::test]
    async fn points_have_gaps_where_there_was_no_scrape() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut history = History::default();
        for (at, cpu) in [(2, 1.0), (11, 2.0), (19, 3.0), (41, 14.0)] {
            let (cpu_seconds, memory_bytes) = (Some(cpu), Some(f64::from(at)));
            let sample = Sample { cpu_seconds, memory_bytes, ..Sample::default() };
            history.add(start + second * at, sample);
        }
        let points = history.points(second * 40, 4, start + second * 50);
        assert_eq!(points.step, second * 10);
        assert_eq!(points.memory_bytes, [Some(19.0), None, None, Some(41.0)]);
        assert_eq!(points.cpu_cores, [Some(2.0 / 17.0), None, None, Some(0.5)]);
    }

    #[tokio::test]
    async fn history_is_bounded() {
        let start = Instant::now();
        let mut history = History::default();
        for tick in 0..10_000 {
            history
                .add(start + Duration::from_millis(500) * tick, sample(f64::from(tick), 0.0, 0.0));
        }
        assert_eq!(history.samples.len(), MOST);
        assert!(history.bytes() < 128 << 10, "{}", history.bytes());
    }
}
