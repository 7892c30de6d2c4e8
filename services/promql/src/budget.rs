//! What an evaluation may still use: samples and time.

#![expect(
    clippy::disallowed_types,
    reason = "evaluation is synchronous: no runtime whose clock could be paused"
)]

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use crate::Error;

/// The samples that an evaluation holds, and the moment at which it must have ended.
pub(crate) struct Budget {
    max_samples: usize,
    held: Cell<usize>,
    started: Instant,
    deadline: Duration,
}

impl Budget {
    pub(crate) fn new(max_samples: usize, deadline: Duration) -> Self {
        Self { max_samples, held: Cell::new(0), started: Instant::now(), deadline }
    }

    /// Counts samples before they are allocated.
    ///
    /// # Errors
    /// [`Error::Limit`] if the evaluation would hold more than its limit.
    pub(crate) fn take(&self, samples: usize) -> Result<(), Error> {
        let held = self.held.get().saturating_add(samples);
        if held > self.max_samples {
            return Err(Error::Limit(format!(
                "the query holds more than {} samples at a time: select fewer series, a shorter range or a longer step",
                self.max_samples
            )));
        }
        self.held.set(held);
        Ok(())
    }

    /// The samples that are held.
    pub(crate) fn held(&self) -> usize {
        self.held.get()
    }

    /// Corrects the count after an operation has released what it no longer needs.
    pub(crate) fn set_held(&self, samples: usize) {
        self.held.set(samples);
    }

    /// # Errors
    /// [`Error::Timeout`] after the deadline.
    pub(crate) fn check_time(&self) -> Result<(), Error> {
        if self.started.elapsed() > self.deadline { Err(Error::Timeout) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_are_released_can_be_taken_again() {
        let budget = Budget::new(10, Duration::from_secs(60));
        budget.take(8).unwrap();
        assert!(matches!(budget.take(3), Err(Error::Limit(_))));
        budget.set_held(0);
        budget.take(10).unwrap();
        assert!(matches!(budget.take(usize::MAX), Err(Error::Limit(_))));
    }

    #[test]
    fn nothing_is_evaluated_after_the_deadline() {
        let budget = Budget::new(10, Duration::ZERO);
        while budget.started.elapsed().is_zero() {}
        assert_eq!(budget.check_time(), Err(Error::Timeout));
    }
}
