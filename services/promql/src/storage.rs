//! What a query reads.

use promql_parser::label::Matchers;

use crate::{Error, Labels};

/// The value that ends a series: Prometheus' staleness marker, a NaN with this bit pattern.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the staleness marker, and not another NaN.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// A value of a series at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The value; may be [`STALE`].
    pub value: f64,
}

/// The samples that a query needs.
#[derive(Clone, Copy, Debug)]
pub struct Select<'a> {
    /// The conditions on the labels; a condition on a label that a series does not have compares the empty value.
    pub matchers: &'a Matchers,
    /// The first moment, in milliseconds since the Unix epoch, inclusive.
    pub from_ms: i64,
    /// The last moment, inclusive.
    pub to_ms: i64,
}

/// What a selection calls for each series: its labels and its samples, oldest first.
pub type Visit<'a> = dyn FnMut(&Labels, &[Sample]) -> Result<(), Error> + 'a;

/// Series of samples.
pub trait Storage {
    /// Calls `visit` once for each series that matches and has samples in the given time, with these samples, oldest first,
    /// including staleness markers. The order of the series is arbitrary.
    ///
    /// # Errors
    /// The first error of `visit`, which ends the selection.
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error>;
}

/// A storage to which rules can add samples.
pub trait Append: Storage {
    /// Adds the results of one rule of a group. Results with the same `group` and `at_ms` were evaluated together. A value may be
    /// [`STALE`]: the series has ended.
    fn append(&self, group: &str, at_ms: i64, samples: &[(Labels, f64)]);
}
