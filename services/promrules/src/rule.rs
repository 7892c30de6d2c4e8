//! A rule as its file defines it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use promql::{Labels, Query};

use crate::template::Template;

/// Annotations of an alert by name.
pub type Annotations = Arc<BTreeMap<String, String>>;

/// A rule as its file defines it.
#[derive(Debug)]
pub struct Rule {
    /// The name of the series that it records, or of its alerts.
    pub name: Arc<str>,
    /// The text of its expression.
    pub expression: String,
    /// The labels that its results get, those of its group included. Those of an alerting rule are templates.
    pub labels: Labels,
    /// What happens with its results.
    pub kind: Kind,
    pub(crate) query: Query,
}

/// What happens with the results of a rule.
#[derive(Debug)]
pub enum Kind {
    /// They are recorded as series with the rule's name.
    Recording,
    /// Each is an alert.
    Alerting(Alerting),
}

/// The part of a rule that only alerting rules have.
#[derive(Debug)]
pub struct Alerting {
    /// How long an alert is pending before it fires: `for`.
    pub hold: Duration,
    /// How long an alert fires on when its condition no longer holds.
    pub keep_firing_for: Duration,
    /// Templates of the annotations.
    pub annotations: Annotations,
    pub(crate) label_templates: Vec<(Arc<str>, Template)>,
    pub(crate) annotation_templates: Vec<(Arc<str>, Template)>,
}
