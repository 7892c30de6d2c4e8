//! A bounded store, in memory, of the series that Prometheus targets expose.
//!
//! ```text
//!  text of /metrics ─▶ Store::scrape ─▶ blocks by target: one column of times, one compressed column of values a series
//!  results of rules ─▶ Store::append ─┘        │
//!                                              └─▶ promql::Storage, series, metadata, exemplars
//! ```

mod answer;
mod block;
mod budget;
mod codec;
mod cost;
mod exemplars;
mod exposition;
mod hash;
mod options;
mod restore;
mod rows;
mod selection;
mod sequence;
mod series;
mod snapshot;
mod store;
mod symbols;
mod target;
#[cfg(test)]
mod tests;

pub use answer::{ScrapeError, Scraped};
pub use options::{Options, Refused, Usage};
pub use snapshot::SnapshotError;
pub use store::{ExemplarSample, ExemplarSeries, Metadata, Store};
