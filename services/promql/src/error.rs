//! Why a query has no result.

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not PromQL.
    #[error("{0}")]
    Parse(String),
    /// The text is PromQL that this crate does not evaluate, such as native histograms; the text names it.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The query is valid, but the data does not fit it: Prometheus answers `execution`.
    #[error("{0}")]
    Execution(String),
    /// The query needs more than one of the [`Options`](crate::Options) allows; the text names the limit.
    #[error("{0}")]
    Limit(String),
    /// The query took longer than [`Options::deadline`](crate::Options::deadline).
    #[error(
        "the query took longer than it may: select fewer series, a shorter range or a longer step"
    )]
    Timeout,
}
