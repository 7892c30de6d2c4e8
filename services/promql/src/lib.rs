//! Evaluates [PromQL](https://prometheus.io/docs/prometheus/latest/querying/basics/) over any [`Storage`] of samples, with
//! Prometheus' results.
//!
//! ```text
//!  text ─▶ Query::parse ─▶ Query::instant, Query::range ─▶ Value
//!                                   │ select
//!                                   ▼
//!                                Storage
//! ```

mod budget;
mod columns;
mod compile;
mod error;
mod evaluate;
mod functions;
mod labels;
mod memory;
mod options;
mod plan;
mod query;
mod selector;
mod storage;

pub use error::Error;
pub use labels::{Labels, METRIC_NAME};
pub use memory::Memory;
pub use options::{Options, Range};
pub use promql_parser::label::Matchers;
pub use query::{Query, Series, Value};
pub use storage::{Append, STALE, Sample, Select, Storage, Visit, is_stale};
