//! The YAML of a file of tests.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use promql::Labels;
use serde::Deserialize;

/// Texts by name.
pub(super) type Texts = BTreeMap<String, String>;

/// A file of tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) rule_files: Vec<String>,
    #[serde(default)]
    pub(super) evaluation_interval: Option<String>,
    #[serde(default)]
    group_eval_order: Vec<String>,
    #[serde(default)]
    pub(super) tests: Vec<Test>,
}

/// Input, and what is expected of it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) interval: Option<String>,
    pub(super) input_series: Vec<Input>,
    pub(super) alert_rule_test: Vec<AlertTest>,
    pub(super) promql_expr_test: Vec<QueryTest>,
    pub(super) external_labels: Texts,
    pub(super) external_url: String,
    pub(super) start_timestamp: Option<String>,
}

/// A series of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub(super) series: String,
    pub(super) values: String,
}

/// The alerts of one name that fire at a moment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTest {
    pub(super) eval_time: String,
    pub(super) alertname: String,
    #[serde(default)]
    pub(super) exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedAlert {
    #[serde(default)]
    pub(super) exp_labels: Texts,
    #[serde(default)]
    pub(super) exp_annotations: Texts,
}

/// The results of a query at a moment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryTest {
    pub(super) expr: String,
    pub(super) eval_time: String,
    #[serde(default)]
    pub(super) exp_samples: Vec<ExpectedSample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedSample {
    pub(super) labels: String,
    pub(super) value: f64,
}

impl Document {
    /// The place of each group in the order of evaluation.
    pub(super) fn order(&self) -> Result<BTreeMap<&str, usize>, String> {
        let mut order = BTreeMap::new();
        for (place, name) in self.group_eval_order.iter().enumerate() {
            if order.insert(name.as_str(), place).is_some() {
                return Err(format!("group_eval_order names {name:?} twice"));
            }
        }
        Ok(order)
    }
}

pub(super) fn labels(texts: &Texts) -> Labels {
    Labels::new(texts.iter().map(|(name, value)| (Arc::from(&**name), Arc::from(&**value))))
}

/// A duration; zero if there is none.
pub(super) fn duration(text: &Option<String>) -> Result<Duration, String> {
    text.as_deref().map_or(Ok(Duration::ZERO), crate::duration::parse)
}

/// Milliseconds of a moment since the Unix epoch; zero if there is none.
pub(super) fn moment(text: &Option<String>) -> Result<i64, String> {
    let Some(text) = text else { return Ok(0) };
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1_000.0) as i64);
    }
    let moment = humantime::parse_rfc3339(text).map_err(|_| {
        format!("start_timestamp: {text:?} is no moment; expected 2026-01-31T12:00:00Z or seconds")
    })?;
    let elapsed = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(crate::alerts::millis(elapsed))
}
