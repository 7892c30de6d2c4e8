//! Values over time as a line of blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A line for the values of `from` to `to`, in seconds, with a character for each `step`, but no more than `width`: the lowest value
/// is the lowest block. Each character is the last value of its part of the time, and a space where there is none.
pub(super) fn sparkline(
    points: &[(f64, f64)],
    from: f64,
    to: f64,
    step: f64,
    width: usize,
) -> String {
    let finite = || points.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
    let (low, high) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let steps = if step > 0.0 { ((to - from) / step).round() as usize } else { 0 };
    let mut line = vec![' '; (steps + 1).min(width)];
    let last = line.len() - 1;
    for (at, value) in points {
        let share = if to > from { (at - from) / (to - from) } else { 0.0 };
        line[((share * last as f64).round() as usize).min(last)] = block(*value, low, high);
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn block(value: f64, low: f64, high: f64) -> char {
    if value.is_nan() {
        return ' ';
    }
    // Half of each, because the difference of two finite numbers may be infinite.
    let (height, span) = (value / 2.0 - low / 2.0, high / 2.0 - low / 2.0);
    // A value that does not change is in the middle: neither low nor high.
    let share = if value.is_infinite() || span <= 0.0 {
        if value == f64::INFINITY {
            1.0
        } else if value == f64::NEG_INFINITY {
            0.0
        } else {
            0.4
        }
    } else {
        height / span
    };
    BLOCKS[((share * 8.0) as usize).min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_rises_with_its_values_and_has_gaps_where_there_are_none() {
        let rising: Vec<_> = (0..8).map(|step| (f64::from(step), f64::from(step))).collect();
        assert_eq!(sparkline(&rising, 0.0, 7.0, 1.0, 60), "▁▂▃▄▅▆▇█");
        let gap = [(0.0, 1.0), (5.0, f64::NAN), (15.0, 3.0)];
        assert_eq!(sparkline(&gap, 0.0, 15.0, 5.0, 60), "▁  █");
        assert_eq!(sparkline(&[], f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, 60), "");
    }

    #[test]
    fn a_long_time_is_cut_to_the_width() {
        let many: Vec<_> = (0..1_000).map(|step| (f64::from(step), f64::from(step))).collect();
        let line = sparkline(&many, 0.0, 999.0, 1.0, 60);
        assert_eq!(line.chars().count(), 60);
        assert!(line.starts_with('▁') && line.ends_with('█'), "{line}");
    }

    #[test]
    fn constant_and_extreme_values_have_a_height() {
        assert_eq!(sparkline(&[(0.0, 5.0), (1.0, 5.0)], 0.0, 1.0, 1.0, 60), "▄▄");
        let extreme =
            [(0.0, f64::MIN), (1.0, f64::MAX), (2.0, f64::INFINITY), (3.0, f64::NEG_INFINITY)];
        assert_eq!(sparkline(&extreme, 0.0, 3.0, 1.0, 60), "▁██▁");
        assert_eq!(sparkline(&[(1.0, 1.0)], 1.0, 1.0, f64::INFINITY, 60), "▄");
    }
}
