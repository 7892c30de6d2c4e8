//! How a series changes over a window: `rate`, `increase`, `delta` and their relatives.
//!
//! The samples of a window rarely begin and end at its bounds. Prometheus
//! [extrapolates](https://prometheus.io/docs/prometheus/latest/querying/functions/#increase) to the bounds if the next sample beyond
//! them would be expected there, otherwise by half of the usual distance between two samples.

use crate::{Sample, functions::window::Window};

/// How many usual distances from the bound a sample may be to count as the first or last one of the window.
const NEAR: f64 = 1.1;

pub(crate) fn rate(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    let seconds = seconds(window.end_ms - window.start_ms);
    let counter = increase_of(samples, window);
    extrapolate(samples, window, counter, true).map(|(change, factor)| change * (factor / seconds))
}

pub(crate) fn increase(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    let counter = increase_of(samples, window);
    extrapolate(samples, window, counter, true).map(|(change, factor)| change * factor)
}

pub(crate) fn delta(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    let gauge = samples.last()?.value - samples.first()?.value;
    extrapolate(samples, window, gauge, false).map(|(change, factor)| change * factor)
}

/// Seconds of the time between two moments.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// From the first to the last sample of a counter; after a restart it begins at zero.
fn increase_of(samples: &[Sample], window: &Window<'_>) -> f64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return 0.0 };
    window.restarts.iter().fold(last.value - first.value, |change, before| change + before)
}

/// The change between the first and the last sample, and the factor that extends it to the bounds of the window.
fn extrapolate(
    samples: &[Sample],
    window: &Window<'_>,
    change: f64,
    is_counter: bool,
) -> Option<(f64, f64)> {
    let [first, .., last] = samples else { return None };
    let sampled = seconds(last.at_ms - first.at_ms);
    let usual = sampled / (samples.len() - 1) as f64;
    let near = usual * NEAR;
    let bounded = |distance: f64| if distance >= near { usual / 2.0 } else { distance };

    let mut before = bounded(seconds(first.at_ms - window.start_ms));
    if is_counter && change > 0.0 && first.value >= 0.0 {
        // A counter is never negative: going back in time, it was zero at the latest here.
        let since_zero = sampled * (first.value / change);
        if since_zero < before {
            before = since_zero;
        }
    }
    let after = bounded(seconds(window.end_ms - last.at_ms));
    let factor = if sampled == 0.0 { 1.0 } else { (sampled + before + after) / sampled };
    Some((change, factor))
}

pub(crate) fn irate(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let [.., previous, last] = samples else { return None };
    let restarted = last.value < previous.value;
    let change = if restarted { last.value } else { last.value - previous.value };
    let interval = last.at_ms - previous.at_ms;
    (interval != 0).then_some(change / seconds(interval))
}

pub(crate) fn idelta(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let [.., previous, last] = samples else { return None };
    (last.at_ms != previous.at_ms).then_some(last.value - previous.value)
}

pub(crate) fn changes(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let differ = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    let pairs = samples.windows(2).filter(|pair| differ(pair[0].value, pair[1].value)).count();
    (!samples.is_empty()).then_some(pairs as f64)
}

pub(crate) fn resets(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    (!samples.is_empty()).then_some(window.restarts.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(step_ms: i64, from_ms: i64, values: &[f64]) -> Vec<Sample> {
        let at = |place: usize| from_ms + step_ms * place as i64;
        values
            .iter()
            .enumerate()
            .map(|(place, value)| Sample { at_ms: at(place), value: *value })
            .collect()
    }

    const MINUTE: Window<'static> =
        Window { start_ms: 0, end_ms: 60_000, at_ms: 60_000, args: &[], restarts: &[] };

    #[test]
    fn samples_near_both_bounds_are_extended_to_them() {
        let samples = every(10_000, 5_000, &[100.0, 110.0, 120.0, 130.0, 140.0, 150.0]);
        assert_eq!(increase(&samples, &MINUTE), Some(60.0));
        assert_eq!(rate(&samples, &MINUTE), Some(1.0));
        assert_eq!(delta(&samples, &MINUTE), Some(60.0));
    }

    #[test]
    fn samples_far_from_the_bounds_are_extended_by_half_an_interval() {
        let samples = every(10_000, 20_000, &[100.0, 110.0, 120.0]);
        assert_eq!(increase(&samples, &MINUTE), Some(30.0));
    }

    #[test]
    fn a_counter_is_not_extended_below_zero() {
        let samples = every(10_000, 5_000, &[1.0, 11.0, 21.0, 31.0, 41.0, 51.0]);
        assert!((increase(&samples, &MINUTE).unwrap() - 56.0).abs() < 1e-12);
        assert_eq!(delta(&samples, &MINUTE), Some(60.0));
    }

    #[test]
    fn a_restarted_counter_goes_on_from_zero() {
        let samples = every(10_000, 5_000, &[100.0, 110.0, 120.0, 3.0, 13.0, 23.0]);
        let window = Window { restarts: &[120.0], ..MINUTE };
        assert_eq!(increase_of(&samples, &window), 43.0);
        assert_eq!(resets(&samples, &window), Some(1.0));
        assert_eq!(irate(&samples[..4], &MINUTE), Some(0.3));
        assert_eq!(idelta(&samples[..4], &MINUTE), Some(-117.0));
    }

    #[test]
    fn one_sample_has_no_rate() {
        let samples = every(10_000, 5_000, &[100.0]);
        for call in [rate, increase, delta, irate, idelta] {
            assert_eq!(call(&samples, &MINUTE), None);
        }
        assert_eq!(changes(&samples, &MINUTE), Some(0.0));
        assert_eq!(changes(&[], &MINUTE), None);
    }

    #[test]
    fn nan_after_nan_is_no_change() {
        let samples = every(1, 1, &[1.0, f64::NAN, f64::NAN, 1.0, 1.0]);
        assert_eq!(changes(&samples, &MINUTE), Some(2.0));
    }
}
