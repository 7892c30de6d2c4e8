//! A bounded store, in memory, of the series that Prometheus targets expose.
//!
//! ```text
//!  text of /metrics ─▶ Store::scrape ─▶ blocks by target: one column of times, one compressed column of values a series
//!  results of rules ─▶ Store::append ─┘        │
//!                                              └─▶ promql::Storage, series, metadata, exemplars
//! ```

mod store;

pub use store::{
    ExemplarSample, ExemplarSeries, Metadata, Options, Scraped, SnapshotError, Store, Usage,
};
