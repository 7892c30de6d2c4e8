//! The quantile of values.

use std::cmp::Ordering;

/// The quantile between the two nearest values. NaN counts as smaller than every number; a `q` below zero is minus infinity, one
/// above one is infinity.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(nan_first);
    let rank = q * (values.len() - 1) as f64;
    let weight = rank - rank.floor();
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

fn nan_first(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(0.75, &mut [2.0, 0.0, 1.0]), 1.5);
        assert_eq!(quantile(1.0, &mut [2.0, 0.0, 1.0]), 2.0);
        assert_eq!(quantile(0.5, &mut [7.0]), 7.0);
    }

    #[test]
    fn a_q_outside_of_zero_to_one_is_infinite() {
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut [1.0]).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
    }

    #[test]
    fn nan_is_the_smallest_value() {
        assert!(quantile(0.0, &mut [1.0, f64::NAN, f64::NEG_INFINITY]).is_nan());
        assert_eq!(quantile(1.0, &mut [1.0, f64::NAN]), 1.0);
    }
}
