//! A histogram of fixed size for durations.

/// Eight steps for each doubling: a step is at most an eighth of the value, and quantiles are interpolated within it.
const STEPS: usize = 8;

/// Below 64 µs, steps are 8 µs wide; nothing that crosses a network is faster.
const FIRST_OCTAVE: u32 = 6;

/// Up to 2^26 µs, 67 s: longer than any deadline. Longer durations count as that.
const OCTAVES: usize = 20;

const CELLS: usize = STEPS + OCTAVES * STEPS;

/// Counts of durations in microseconds.
#[derive(Clone)]
pub(super) struct Histogram([u32; CELLS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; CELLS])
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration_us: u64, times: u32) {
        let cell = &mut self.0[cell_of(duration_us)];
        *cell = cell.saturating_add(times);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (cell, more) in self.0.iter_mut().zip(&other.0) {
            *cell = cell.saturating_add(*more);
        }
    }

    /// The duration below which the share `quantile` (0 to 1) of all durations is; `None` if there are none.
    pub(super) fn quantile_us(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = total as f64 * quantile;
        let mut below = 0.0;
        for (cell, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = f64::from(*count);
            if below + count >= wanted {
                let (low, width) = bounds_of(cell);
                return Some(low + width * (wanted - below) / count);
            }
            below += count;
        }
        None
    }
}

fn cell_of(duration_us: u64) -> usize {
    let octave = duration_us.checked_ilog2().unwrap_or_default();
    if octave < FIRST_OCTAVE {
        return (duration_us / 8) as usize;
    }
    let octave = octave - FIRST_OCTAVE;
    if octave as usize >= OCTAVES {
        return CELLS - 1;
    }
    let step = (duration_us >> (octave + 3)) as usize - STEPS;
    STEPS + octave as usize * STEPS + step
}

/// The lower bound and the width of a cell.
fn bounds_of(cell: usize) -> (f64, f64) {
    if cell < STEPS {
        return (cell as f64 * 8.0, 8.0);
    }
    let (octave, step) = ((cell - STEPS) / STEPS, (cell - STEPS) % STEPS);
    let width = (1_u64 << (octave + 3)) as f64;
    ((STEPS + step) as f64 * width, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_the_cell_that_covers_it() {
        for us in (0..200_000).chain((1..67_000_000).step_by(9_973)) {
            let (low, width) = bounds_of(cell_of(us));
            assert!(low <= us as f64 && (us as f64) < low + width, "{us} in {low}+{width}");
            assert!(width <= f64::max(8.0, us as f64 / 8.0), "{us}");
        }
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    #[test]
    fn quantiles_are_near_the_truth() {
        let mut histogram = Histogram::default();
        for us in 1..=10_000 {
            histogram.record(us, 1);
        }
        let near = |quantile: f64, truth: f64| {
            (histogram.quantile_us(quantile).unwrap() / truth - 1.0).abs() < 0.05
        };
        assert!(near(0.5, 5_000.0) && near(0.99, 9_900.0), "{:?}", histogram.quantile_us(0.5));
        assert_eq!(Histogram::default().quantile_us(0.5), None);
    }
}
