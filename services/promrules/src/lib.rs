//! Evaluates Prometheus' rule files over any storage that [`promql`] can query: recording rules, and alerts from pending to
//! firing to resolved.
//!
//! ```text
//!  YAML ─▶ file::parse ─▶ Group::evaluate ─▶ samples of recorded series, ALERTS, ALERTS_FOR_STATE ─▶ Append
//!                             │       └────▶ Outcome: alerts that changed their state, failures
//!                             ▼
//!                         Group::snapshot ─▶ GroupState: what Prometheus answers at /api/v1/rules
//! ```

mod alerts;
mod duration;
pub mod file;
mod group;
mod results;
mod rule;
mod snapshot;
mod template;
pub mod unit_tests;

pub use file::{Mistake, Mistakes};
pub use group::{Group, Options, Outcome};
pub use rule::{Alerting, Annotations, Kind, Rule};
pub use snapshot::{Alert, Evaluation, GroupState, Health, RuleState, State};
