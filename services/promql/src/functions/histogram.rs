//! Functions of a classic histogram's buckets: upper bound and cumulative count, in any order.

/// A difference between two buckets, relative to their sum, that counts as rounding.
const ROUNDING: f64 = 1e-12;

/// A bucket: upper bound and cumulative count.
type Bucket = (f64, f64);

/// The quantile that the buckets estimate: linear between the bounds of a bucket, the highest finite bound above that. The first
/// bucket begins at zero if its bound is positive. NaN without observations, without an infinite bucket or with fewer than two.
pub(crate) fn quantile(q: f64, buckets: &mut [Bucket]) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let Some(buckets) = prepare(buckets) else { return f64::NAN };
    force_monotonic(buckets);
    let [.., (below_infinity, _), (_, observations)] = *buckets else { return f64::NAN };
    if observations == 0.0 {
        return f64::NAN;
    }

    let mut rank = q * observations;
    let finite = &buckets[..buckets.len() - 1];
    let place =
        finite.partition_point(|(_, count)| (*count < rank) || count.is_nan() || rank.is_nan());
    let Some(&(end, mut count)) = finite.get(place) else { return below_infinity };
    if place == 0 && end <= 0.0 {
        return end;
    }
    let mut start = 0.0;
    if let Some(before) = place.checked_sub(1) {
        start = finite[before].0;
        count -= finite[before].1;
        rank -= finite[before].1;
    }
    start + (end - start) * (rank / count)
}

/// The fraction of observations between two values, linear between the bounds of a bucket.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    let Some(buckets) = prepare(buckets) else { return f64::NAN };
    let observations = buckets[buckets.len() - 1].1;
    if observations == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets) - rank_of(lower, buckets)) / observations
}

/// How many observations are at most as great as a value.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let observations = buckets[buckets.len() - 1].1;
    let mut start = if buckets[0].0 <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for &(end, count) in buckets {
        let found = if start >= value {
            Some(rank)
        } else if end > value {
            // A bucket without a lower bound cannot be divided.
            let whole = start == f64::NEG_INFINITY;
            let share = (value - start) / (end - start);
            Some(if whole { count } else { rank + (count - rank) * share })
        } else {
            None
        };
        if let Some(found) = found {
            return if found > observations { observations } else { found };
        }
        (start, rank) = (end, count);
    }
    observations
}

/// Sorts the buckets and adds those with one bound; nothing if the highest bound is not infinite.
fn prepare(buckets: &mut [Bucket]) -> Option<&mut [Bucket]> {
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if buckets.last()?.0 != f64::INFINITY {
        return None;
    }
    let mut last = 0;
    for place in 1..buckets.len() {
        if buckets[place].0 == buckets[last].0 {
            buckets[last].1 += buckets[place].1;
        } else {
            last += 1;
            buckets[last] = buckets[place];
        }
    }
    Some(&mut buckets[..=last])
}

/// Raises every bucket to the one before it: buckets scraped or aggregated at different moments may decrease.
fn force_monotonic(buckets: &mut [Bucket]) {
    let mut highest = buckets[0].1;
    for (_, count) in &mut buckets[1..] {
        if *count < highest || is_rounding(highest, *count) {
            *count = highest;
        } else {
            highest = *count;
        }
    }
}

fn is_rounding(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < ROUNDING * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < ROUNDING
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn seconds() -> Vec<Bucket> {
        vec![(INF, 10.0), (0.1, 2.0), (0.5, 6.0), (1.0, 10.0)]
    }

    #[test]
    fn a_quantile_is_linear_within_its_bucket() {
        assert_eq!(quantile(0.5, &mut seconds()), 0.1 + 0.4 * (3.0 / 4.0));
        assert_eq!(quantile(0.1, &mut seconds()), 0.05);
        assert_eq!(quantile(1.0, &mut [(1.0, 2.0), (INF, 10.0)]), 1.0);
    }

    #[test]
    fn what_cannot_be_estimated_is_nan() {
        assert!(quantile(0.5, &mut []).is_nan());
        assert!(quantile(0.5, &mut [(INF, 10.0)]).is_nan(), "one bucket");
        assert!(quantile(0.5, &mut [(1.0, 2.0), (2.0, 3.0)]).is_nan(), "no infinite bucket");
        assert!(quantile(0.5, &mut [(1.0, 0.0), (INF, 0.0)]).is_nan(), "no observations");
        assert!(quantile(f64::NAN, &mut seconds()).is_nan());
        assert_eq!(quantile(-0.1, &mut seconds()), -INF);
        assert_eq!(quantile(1.1, &mut seconds()), INF);
    }

    #[test]
    fn a_first_bucket_that_is_not_positive_has_no_beginning() {
        assert_eq!(quantile(0.1, &mut [(-1.0, 5.0), (1.0, 9.0), (INF, 10.0)]), -1.0);
        assert_eq!(quantile(0.7, &mut [(-1.0, 5.0), (1.0, 9.0), (INF, 10.0)]), 0.0);
    }

    #[test]
    fn buckets_that_decrease_are_raised() {
        assert_eq!(quantile(0.5, &mut [(1.0, 6.0), (2.0, 5.0), (INF, 8.0)]), 4.0 / 6.0);
    }

    #[test]
    fn a_difference_of_rounding_is_none() {
        let mut buckets = [(1.0, 10.0), (2.0, 10.0 + 1e-13), (3.0, 20.0), (INF, 20.0)];
        assert_eq!(quantile(0.5, &mut buckets), 1.0);
    }

    #[test]
    fn buckets_with_one_bound_are_added() {
        assert_eq!(quantile(0.5, &mut [(1.0, 1.0), (1.0, 1.0), (INF, 2.0)]), 0.5);
    }

    #[test]
    fn a_fraction_is_the_difference_of_two_ranks() {
        assert_eq!(fraction(0.1, 0.5, &mut seconds()), 0.4);
        assert_eq!(fraction(0.0, 0.3, &mut seconds()), 0.4);
        assert_eq!(fraction(-INF, INF, &mut seconds()), 1.0);
        assert_eq!(fraction(2.0, 1.0, &mut seconds()), 0.0);
        assert!(fraction(0.0, 1.0, &mut [(1.0, 1.0)]).is_nan());
        assert!(fraction(f64::NAN, 1.0, &mut seconds()).is_nan());
    }
}
