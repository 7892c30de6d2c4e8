//! Sums that do not lose small values.

/// A sum with Neumaier's compensation: Prometheus adds values this way, so that `sum(1e100, 1, -1e100)` is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// The sum without its compensation.
    pub(crate) sum: f64,
    /// What rounding has lost.
    pub(crate) lost: f64,
}

impl Sum {
    /// A sum that begins with a value.
    pub(crate) fn from(value: f64) -> Self {
        Self { sum: value, lost: 0.0 }
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// The sum; an infinite one needs no compensation.
    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: self.sum * factor, lost: self.lost * factor }
    }
}

/// The mean of the values that were added. It divides one sum as long as that is finite; from then on it keeps a running mean,
/// which cannot overflow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    count: f64,
    sum: Sum,
    incremental: bool,
}

impl Mean {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = Sum::from(value);
            return;
        }
        if !self.incremental {
            let mut longer = self.sum;
            longer.add(value);
            if !longer.sum.is_infinite() {
                self.sum = longer;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.sum = Sum { sum: self.sum.sum / before, lost: self.sum.lost / before };
        }
        self.sum = self.sum.scaled((self.count - 1.0) / self.count);
        self.sum.add(value / self.count);
    }

    /// The mean; NaN without values.
    pub(crate) fn value(self) -> f64 {
        if self.incremental {
            self.sum.sum + self.sum.lost
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}

/// The variance of the values that were added, by Welford's method.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.lost);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.lost)));
    }

    /// The population's variance; NaN without values.
    pub(crate) fn value(self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> f64 {
        let mut mean = Mean::default();
        values.iter().for_each(|value| mean.add(*value));
        mean.value()
    }

    #[test]
    fn a_sum_keeps_what_is_small_beside_what_cancels_out() {
        let mut sum = Sum::default();
        [1e100, 1.0, -1e100].iter().for_each(|value| sum.add(*value));
        assert_eq!(sum.total(), 1.0);
    }

    #[test]
    fn an_infinite_sum_is_infinite_and_not_nan() {
        let mut sum = Sum::default();
        [f64::INFINITY, 1.0].iter().for_each(|value| sum.add(*value));
        assert_eq!(sum.total(), f64::INFINITY);
    }

    #[test]
    fn a_mean_of_the_greatest_numbers_does_not_overflow() {
        assert!((mean(&[f64::MAX, f64::MAX, f64::MAX]) / f64::MAX - 1.0).abs() < 1e-15);
        assert_eq!(mean(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(mean(&[]).is_nan());
    }

    #[test]
    fn the_variance_is_that_of_the_population() {
        let mut variance = Variance::default();
        [10.0, 12.0, 14.0].iter().for_each(|value| variance.add(1e8 + *value));
        assert!((variance.value() - 8.0 / 3.0).abs() < 1e-9);
    }
}
