//! Aggregations of the samples of a window: `*_over_time`.

use crate::{
    Sample,
    functions::{
        quantile,
        sum::{Mean, Sum, Variance},
        window::Window,
    },
};

pub(crate) fn avg(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let mut mean = Mean::default();
    samples.iter().for_each(|sample| mean.add(sample.value));
    some_of(samples, mean.value())
}

pub(crate) fn sum(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let mut sum = Sum::default();
    samples.iter().for_each(|sample| sum.add(sample.value));
    some_of(samples, sum.total())
}

pub(crate) fn stdvar(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    let mut variance = Variance::default();
    samples.iter().for_each(|sample| variance.add(sample.value));
    some_of(samples, variance.value())
}

pub(crate) fn stddev(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    stdvar(samples, window).map(f64::sqrt)
}

pub(crate) fn min(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    extreme(samples, |value, least| value < least)
}

pub(crate) fn max(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    extreme(samples, |value, greatest| value > greatest)
}

/// The most extreme number; NaN if there is no number.
fn extreme(samples: &[Sample], beats: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let (first, rest) = samples.split_first()?;
    let take = |best: f64, sample: &Sample| {
        if beats(sample.value, best) || best.is_nan() { sample.value } else { best }
    };
    Some(rest.iter().fold(first.value, take))
}

pub(crate) fn count(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    some_of(samples, samples.len() as f64)
}

pub(crate) fn present(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    some_of(samples, 1.0)
}

pub(crate) fn first(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    samples.first().map(|sample| sample.value)
}

pub(crate) fn last(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    samples.last().map(|sample| sample.value)
}

pub(crate) fn quantile(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    let q = *window.args.first()?;
    let mut values: Vec<_> = samples.iter().map(|sample| sample.value).collect();
    some_of(samples, quantile::quantile(q, &mut values))
}

/// A window without samples has no value.
fn some_of(samples: &[Sample], value: f64) -> Option<f64> {
    (!samples.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::range::range;

    const WINDOW: Window<'static> =
        Window { start_ms: 0, end_ms: 10, at_ms: 10, args: &[0.5], restarts: &[] };

    fn of(name: &str, values: &[f64]) -> Option<f64> {
        let sample = |(at, value): (usize, &f64)| Sample { at_ms: at as i64, value: *value };
        let samples: Vec<_> = values.iter().enumerate().map(sample).collect();
        (range(name).unwrap().call)(&samples, &WINDOW)
    }

    #[test]
    fn each_aggregation_of_three_values() {
        let values = [3.0, 1.0, 5.0];
        for (name, value) in [
            ("avg_over_time", 3.0),
            ("sum_over_time", 9.0),
            ("min_over_time", 1.0),
            ("max_over_time", 5.0),
            ("count_over_time", 3.0),
            ("present_over_time", 1.0),
            ("first_over_time", 3.0),
            ("last_over_time", 5.0),
            ("quantile_over_time", 3.0),
            ("stdvar_over_time", 8.0 / 3.0),
            ("stddev_over_time", (8.0f64 / 3.0).sqrt()),
        ] {
            let result = of(name, &values).unwrap();
            assert!((result - value).abs() < 1e-12, "{name}: {result} instead of {value}");
            assert_eq!(of(name, &[]), None, "{name} of nothing");
        }
    }

    #[test]
    fn nan_is_neither_the_least_nor_the_greatest_value() {
        assert_eq!(of("max_over_time", &[f64::NAN, 1.0, f64::NAN]), Some(1.0));
        assert_eq!(of("min_over_time", &[f64::NAN, 1.0, f64::NAN]), Some(1.0));
        assert!(of("max_over_time", &[f64::NAN]).unwrap().is_nan());
    }
}
