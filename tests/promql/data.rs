//! Samples that are the same in every run: counters with restarts, gauges, histograms, gaps, series that end and come back, and
//! values at the edge of what a number can be.

use std::collections::BTreeMap;

use promql::{Labels, Memory, STALE, Sample};

use crate::random::Random;

/// The first moment with samples, in milliseconds since the Unix epoch. It is no multiple of a usual step.
pub(crate) const START_MS: i64 = 1_700_000_003_000;
/// Prometheus takes late samples if they are less than an hour older than the newest one.
pub(crate) const LENGTH_MS: i64 = 40 * 60 * 1000;
/// The time between two scrapes.
const SCRAPE_MS: i64 = 10_000;

/// The samples of each series, oldest first.
pub(crate) type Data = BTreeMap<Labels, Vec<Sample>>;

pub(crate) fn memory(data: &Data) -> Memory {
    let mut memory = Memory::default();
    for (labels, samples) in data {
        samples.iter().for_each(|sample| memory.append(labels, *sample));
    }
    memory
}

pub(crate) fn labels(name: &str, rest: &[(&str, &str)]) -> Labels {
    let pair = |(name, value): (&str, &str)| (name.into(), value.into());
    Labels::new([("__name__", name)].into_iter().chain(rest.iter().copied()).map(pair))
}

/// How a value goes on from scrape to scrape.
pub(crate) enum Shape {
    /// Grows by up to this number; restarts at zero now and then.
    Counter(f64),
    /// Walks randomly around a middle.
    Gauge(f64),
    /// Has these values in turn.
    Cycle(&'static [f64]),
}

/// When a series has samples.
#[derive(Clone, Copy)]
pub(crate) enum Life {
    /// Always.
    Always,
    /// It ends with a staleness marker, and comes back.
    Twice,
    /// It begins late and ends early, without a marker.
    Middle,
    /// It has one sample in about six minutes: more than the time for which a sample counts.
    Sparse,
}

impl Life {
    fn has(self, scrape: i64, random: &mut Random) -> Option<bool> {
        match self {
            Self::Always => Some(!random.chance(2)),
            Self::Twice if scrape == 80 => None,
            Self::Twice => Some(!(80..120).contains(&scrape)),
            Self::Middle => Some((60..150).contains(&scrape)),
            Self::Sparse => Some(scrape % 37 == 5),
        }
    }
}

/// The samples of a series; scrapes are a little late, as real ones are.
pub(crate) fn samples(shape: &Shape, life: Life, random: &mut Random) -> Vec<Sample> {
    let mut value = match shape {
        Shape::Counter(_) => 0.0,
        Shape::Gauge(middle) => *middle,
        Shape::Cycle(values) => values[0],
    };
    let mut samples = Vec::new();
    for scrape in 0..LENGTH_MS / SCRAPE_MS {
        match shape {
            Shape::Counter(_) if random.chance(1) => value = 0.0,
            Shape::Counter(growth) => value += (random.unit() * growth * 8.0).floor() / 8.0,
            Shape::Gauge(middle) => value += (random.unit() - 0.5) * middle.abs().max(1.0) / 8.0,
            Shape::Cycle(values) => value = values[scrape as usize % values.len()],
        }
        let late_ms = random.below(40) as i64;
        let at_ms = START_MS + scrape * SCRAPE_MS + late_ms;
        match life.has(scrape, random) {
            Some(true) => samples.push(Sample { at_ms, value }),
            Some(false) => {}
            None => samples.push(Sample { at_ms, value: STALE }),
        }
    }
    samples
}

/// The series that generated expressions select.
pub(crate) fn generated() -> Data {
    let mut random = Random::new(1);
    let mut data = Data::new();
    let mut add = |name: &str, rest: &[(&str, &str)], shape: Shape, life: Life| {
        data.insert(labels(name, rest), samples(&shape, life, &mut random));
    };
    for (instance, job, life) in [
        ("a:1", "api", Life::Always),
        ("b:1", "api", Life::Twice),
        ("c:1", "web", Life::Always),
        ("d:1", "web", Life::Middle),
    ] {
        let target = [("instance", instance), ("job", job)];
        let with = |more: &[(&'static str, &'static str)]| [&target[..], more].concat();
        for path in ["/", "/buy"] {
            for code in ["200", "500"] {
                let growth = if code == "200" { 40.0 } else { 3.0 };
                let more = with(&[("path", path), ("code", code)]);
                add("requests_total", &more, Shape::Counter(growth), life);
            }
        }
        for zone in ["north", "south"] {
            add("temperature", &with(&[("zone", zone)]), Shape::Gauge(20.0), life);
        }
        add("balance", &target, Shape::Gauge(-0.3), life);
        add("up", &target, Shape::Cycle(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]), life);
        add("build_info", &with(&[("version", "1.2")]), Shape::Cycle(&[1.0]), life);
        add("memory_bytes", &target, Shape::Gauge(2e9), life);
    }
    odd(&mut add);
    histograms(&mut data);
    data
}

/// Values and series at the edge of what there can be.
fn odd(add: &mut impl FnMut(&str, &[(&str, &str)], Shape, Life)) {
    const CYCLES: [(&str, &[f64]); 8] = [
        ("nan", &[f64::NAN]),
        ("sometimes", &[1.0, f64::NAN, 3.0]),
        ("infinite", &[f64::INFINITY]),
        ("endless", &[1.0, f64::INFINITY, f64::NEG_INFINITY]),
        ("zero", &[0.0, -0.0]),
        ("huge", &[1e300, -1e300, 1.5e308, 1.7e308]),
        // No subnormal number: Go's logarithm of one is wrong on x86-64.
        ("tiny", &[3e-308, 1e-300, 0.0]),
        ("cancels", &[1e16, 1.0, -1e16, 1.0]),
    ];
    for (kind, values) in CYCLES {
        add("odd", &[("kind", kind)], Shape::Cycle(values), Life::Always);
    }
    for (n, life) in [("1", Life::Sparse), ("2", Life::Middle), ("3", Life::Twice)] {
        add("sparse", &[("n", n)], Shape::Gauge(5.0), life);
    }
    const BIRTHS: &[f64] = &[0.0, 951_868_799.0, -1.5, 1.709_209_8e9, 4_107_542_400.0, 1e11];
    add("birth_seconds", &[("who", "a")], Shape::Cycle(BIRTHS), Life::Always);
    add("birth_seconds", &[("who", "b")], Shape::Gauge(1.7e9), Life::Always);
    add("ünïcode", &[("läbel", "wert\n\"x\"\\")], Shape::Counter(2.0), Life::Always);
}

/// Classic histograms: whole ones, and some that lack buckets, decrease, or have a bound that is no number.
fn histograms(data: &mut Data) {
    let mut random = Random::new(2);
    let bounds = ["0.005", "0.05", "0.1", "0.5", "1", "2.5", "+Inf"];
    for (instance, job, life) in
        [("a:1", "api", Life::Always), ("b:1", "api", Life::Twice), ("c:1", "web", Life::Always)]
    {
        let target = [("instance", instance), ("job", job)];
        let mut total: Vec<Sample> = Vec::new();
        for le in bounds {
            // Each bucket adds a counter to the one before it; all have the same moments.
            let mut own = samples(&Shape::Counter(4.0), life, &mut Random::new(3));
            let mut sum = 0.0;
            for (place, sample) in own.iter_mut().enumerate() {
                if promql::is_stale(sample.value) {
                    continue;
                }
                sum += random.below(4) as f64;
                sample.value = sum + total.get(place).map_or(0.0, |below| below.value);
            }
            total.clone_from(&own);
            let labels = labels("latency_seconds_bucket", &[&target[..], &[("le", le)]].concat());
            data.insert(labels, own);
        }
        data.insert(labels("latency_seconds_count", &target), total);
        let sum = samples(&Shape::Counter(2.0), life, &mut random);
        data.insert(labels("latency_seconds_sum", &target), sum);
    }
    for (kind, le, value) in [
        ("decreasing", "1", 9.0),
        ("decreasing", "2", 7.0),
        ("decreasing", "+Inf", 10.0),
        ("finite", "1", 3.0),
        ("finite", "2", 4.0),
        ("single", "+Inf", 4.0),
        ("negative", "-2", 2.0),
        ("negative", "-1", 5.0),
        ("negative", "1", 9.0),
        ("negative", "Inf", 10.0),
        ("words", "one", 10.0),
        ("words", "", 10.0),
        ("twice", "1", 1.0),
        ("twice", "1.0", 2.0),
        ("twice", "+Inf", 5.0),
        ("empty", "1", 0.0),
        ("empty", "+Inf", 0.0),
    ] {
        let labels = labels("broken_bucket", &[("kind", kind), ("le", le)]);
        let at = |scrape: i64| START_MS + scrape * SCRAPE_MS;
        let samples = (0..LENGTH_MS / SCRAPE_MS).map(|scrape| Sample { at_ms: at(scrape), value });
        data.insert(labels, samples.collect());
    }
}
