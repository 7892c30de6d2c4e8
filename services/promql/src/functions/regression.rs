//! The straight line that fits the samples of a window best: `deriv` and `predict_linear`.

use crate::{
    Sample,
    functions::{sum::Sum, window::Window},
};

pub(crate) fn deriv(samples: &[Sample], _: &Window<'_>) -> Option<f64> {
    // Any moment near the samples serves; with one far away, the squares of the times would lose digits.
    fit(samples, samples.first()?.at_ms).map(|line| line.slope)
}

pub(crate) fn predict_linear(samples: &[Sample], window: &Window<'_>) -> Option<f64> {
    let seconds = *window.args.first()?;
    fit(samples, window.at_ms).map(|line| line.slope * seconds + line.value)
}

struct Line {
    /// The change per second.
    slope: f64,
    /// The value at the moment of the fit.
    value: f64,
}

/// Fits by least squares; there is no line through one sample.
fn fit(samples: &[Sample], at_ms: i64) -> Option<Line> {
    let [first, _, ..] = samples else { return None };
    if samples.iter().skip(1).all(|sample| sample.value == first.value) {
        let infinite = first.value.is_infinite();
        let (slope, value) = if infinite { (f64::NAN, f64::NAN) } else { (0.0, first.value) };
        return Some(Line { slope, value });
    }
    let mut sums = [Sum::default(); 4];
    for sample in samples {
        let (x, y) = ((sample.at_ms - at_ms) as f64 / 1000.0, sample.value);
        sums.iter_mut().zip([x, y, x * y, x * x]).for_each(|(sum, value)| sum.add(value));
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.lost);
    let n = samples.len() as f64;
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some(Line { slope, value: y / n - slope * x / n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Vec<Sample> {
        let at = |place: usize| 1_800_000_000_000 + 1000 * place as i64;
        values
            .iter()
            .enumerate()
            .map(|(place, value)| Sample { at_ms: at(place), value: *value })
            .collect()
    }

    fn window(args: &[f64]) -> Window<'_> {
        Window { start_ms: 0, end_ms: 0, at_ms: 1_800_000_003_000, args, restarts: &[] }
    }

    #[test]
    fn a_straight_line_goes_on() {
        let samples = line(&[10.0, 12.0, 14.0]);
        assert_eq!(deriv(&samples, &window(&[])), Some(2.0));
        assert_eq!(predict_linear(&samples, &window(&[10.0])), Some(36.0));
    }

    #[test]
    fn a_constant_stays_and_infinity_has_no_slope() {
        assert_eq!(deriv(&line(&[7.0, 7.0]), &window(&[])), Some(0.0));
        let infinite = line(&[f64::INFINITY, f64::INFINITY]);
        assert!(deriv(&infinite, &window(&[])).unwrap().is_nan());
        assert_eq!(deriv(&line(&[7.0]), &window(&[])), None);
    }
}
