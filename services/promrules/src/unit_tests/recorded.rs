//! The samples of a test: its input up to a moment, and what the rules recorded.

use std::cell::RefCell;

use promql::{Append, Error, Labels, Memory, Sample, Select, Storage, Visit};

use super::{document::Input, series};

/// The samples of a test.
pub(super) struct Recorded {
    memory: RefCell<Memory>,
    waiting: RefCell<Vec<Waiting>>,
    start_ms: i64,
    between_ms: i64,
}

/// A series of the input whose later samples wait for their time.
struct Waiting {
    labels: Labels,
    values: Vec<Option<f64>>,
    next: usize,
}

impl Recorded {
    /// The samples of the input lie `between_ms` apart.
    pub(super) fn new(input: &[Input], start_ms: i64, between_ms: i64) -> Result<Self, String> {
        let mut waiting = Vec::new();
        for Input { series, values } in input {
            let values = series::values(values).map_err(|reason| format!("{series}: {reason}"))?;
            waiting.push(Waiting { labels: series::labels(series)?, values, next: 0 });
        }
        Ok(Self { memory: RefCell::default(), waiting: waiting.into(), start_ms, between_ms })
    }

    /// Adds the input up to a moment.
    pub(super) fn advance(&self, to_ms: i64) {
        let mut memory = self.memory.borrow_mut();
        for series in self.waiting.borrow_mut().iter_mut() {
            while let Some(value) = series.values.get(series.next) {
                let at_ms = self.start_ms + self.between_ms * series.next as i64;
                if at_ms > to_ms {
                    break;
                }
                if let Some(value) = *value {
                    memory.append(&series.labels, Sample { at_ms, value });
                }
                series.next += 1;
            }
        }
    }
}

impl Storage for Recorded {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.memory.borrow().select(select, visit)
    }
}

impl Append for Recorded {
    fn append(&self, _: &str, at_ms: i64, samples: &[(Labels, f64)]) {
        let mut memory = self.memory.borrow_mut();
        for (labels, value) in samples {
            memory.append(labels, Sample { at_ms, value: *value });
        }
    }
}
