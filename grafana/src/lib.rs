//! Dashboards, recording rules and alerts, as code: queries are in one place, layout is in another.
//!
//! ```text
//!  slo.rs ──────────┐
//!  queries.rs ──────┼─▶ rules.rs ─▶ alerts.rs ─▶ rule_files.rs ─▶ rules/*.yaml
//!                   └─▶ dashboards/*.rs ─(panel.rs, dashboard.rs)─▶ dashboards/*.json
//! ```
//!
//! `cargo test -p grafana` writes the files again where they differ (in CI, a difference fails the test instead).

use std::collections::BTreeMap;

pub mod alerts;
pub mod dashboard;
pub mod dashboards;
pub mod panel;
pub mod queries;
pub mod rule_files;
pub mod rules;
pub mod slo;

/// Every generated file: its path below `grafana/`, and its text.
pub fn files() -> BTreeMap<String, String> {
    let dashboards = dashboards::all()
        .into_iter()
        .map(|dashboard| (format!("dashboards/{}.json", dashboard.uid()), dashboard.to_json()));
    dashboards.chain(rule_files::files()).collect()
}
