//! What a test expects, and how it differs from what there is.

use promql::{Labels, Query, Storage};

use super::{
    document::{self, AlertTest, QueryTest, Test},
    series,
};
use crate::{alerts::millis, duration, group::Group, results, snapshot::State};

/// What a test expects.
pub(super) struct Expected {
    alerts: Vec<ExpectedAlerts>,
    samples: Vec<ExpectedSamples>,
}

/// The alerts of one name that fire at a moment.
pub(super) struct ExpectedAlerts {
    at_ms: i64,
    at: String,
    name: String,
    /// Labels and annotations, as text.
    alerts: Vec<String>,
}

/// The results of a query at a moment.
pub(super) struct ExpectedSamples {
    at_ms: i64,
    at: String,
    expression: String,
    query: Query,
    samples: Vec<(Labels, f64)>,
}

impl Expected {
    pub(super) fn parse(test: &Test) -> Result<Self, String> {
        let alerts = test.alert_rule_test.iter().map(ExpectedAlerts::parse);
        let samples = test.promql_expr_test.iter().map(ExpectedSamples::parse);
        Ok(Self {
            alerts: alerts.collect::<Result<_, _>>()?,
            samples: samples.collect::<Result<_, _>>()?,
        })
    }

    /// The last moment, from the start of the test on.
    pub(super) fn end_ms(&self) -> i64 {
        let alerts = self.alerts.iter().map(|alerts| alerts.at_ms);
        alerts.chain(self.samples.iter().map(|samples| samples.at_ms)).max().unwrap_or(0)
    }

    /// The alerts that are compared after an evaluation, until the next one.
    pub(super) fn alerts(
        &self,
        from_ms: i64,
        before_ms: i64,
    ) -> impl Iterator<Item = &ExpectedAlerts> {
        self.alerts.iter().filter(move |alerts| (from_ms..before_ms).contains(&alerts.at_ms))
    }

    pub(super) fn samples(&self) -> &[ExpectedSamples] {
        &self.samples
    }
}

impl ExpectedAlerts {
    fn parse(test: &AlertTest) -> Result<Self, String> {
        if test.alertname.is_empty() {
            return Err(format!("alert_rule_test at {} has no alertname", test.eval_time));
        }
        let mut alerts = Vec::new();
        for expected in &test.exp_alerts {
            let mut labels = expected.exp_labels.clone();
            labels.insert("alertname".to_owned(), test.alertname.clone());
            let labels = document::labels(&labels);
            let annotations = expected.exp_annotations.iter();
            alerts.push(shown(&labels, annotations.map(|(name, text)| (&**name, &**text))));
        }
        alerts.sort();
        let at_ms = millis(duration::parse(&test.eval_time)?);
        Ok(Self { at_ms, at: test.eval_time.clone(), name: test.alertname.clone(), alerts })
    }

    /// How the firing alerts differ, if they do.
    pub(super) fn difference(&self, groups: &[Group]) -> Option<String> {
        let rules = groups.iter().flat_map(|group| group.alerts_of(&self.name));
        let firing = rules.filter(|alert| alert.state == State::Firing);
        let mut found: Vec<_> = firing
            .map(|alert| {
                let annotations = alert.annotations.iter();
                shown(&alert.labels, annotations.map(|(name, text)| (&**name, &**text)))
            })
            .collect();
        found.sort();
        let what = format!("alertname: {}, time: {}", self.name, self.at);
        (found != self.alerts).then(|| compared(&what, &self.alerts, &found))
    }
}

impl ExpectedSamples {
    fn parse(test: &QueryTest) -> Result<Self, String> {
        let mut samples = Vec::new();
        for sample in &test.exp_samples {
            samples.push((series::labels(&sample.labels)?, sample.value));
        }
        Ok(Self {
            at_ms: millis(duration::parse(&test.eval_time)?),
            at: test.eval_time.clone(),
            expression: test.expr.clone(),
            query: Query::parse(&test.expr).map_err(|error| format!("{}: {error}", test.expr))?,
            samples: sorted(samples),
        })
    }

    /// How the results differ, if they do; values must be equal to the last bit.
    pub(super) fn difference(
        &self,
        storage: &dyn Storage,
        start_ms: i64,
        options: &promql::Options,
    ) -> Option<String> {
        let what = format!("expr: {:?}, time: {}", self.expression, self.at);
        match results::of(&self.query, storage, start_ms + self.at_ms, options) {
            Ok(found) => {
                let found = sorted(found);
                let lines = |samples: &[(Labels, f64)]| -> Vec<_> {
                    samples.iter().map(|(labels, value)| format!("{labels} {value:?}")).collect()
                };
                (found != self.samples)
                    .then(|| compared(&what, &lines(&self.samples), &lines(&found)))
            }
            Err(reason) => Some(format!("{what}: {reason}")),
        }
    }
}

fn sorted(mut samples: Vec<(Labels, f64)>) -> Vec<(Labels, f64)> {
    samples.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.total_cmp(y)));
    samples
}

fn shown<'a>(labels: &Labels, annotations: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = labels.to_string();
    for (name, value) in annotations {
        text.push_str(&format!("\n      {name}: {value:?}"));
    }
    text
}

/// What was expected and found, without what both have.
fn compared(what: &str, expected: &[String], found: &[String]) -> String {
    let mut text = what.to_owned();
    for (title, own, others) in [("expected", expected, found), ("found", found, expected)] {
        let differing: Vec<_> = own.iter().filter(|line| !others.contains(line)).collect();
        if differing.is_empty() {
            text.push_str(&format!("\n  {title}: {} as in the other", own.len()));
        }
        for line in differing {
            text.push_str(&format!("\n  {title}: {line}"));
        }
    }
    text
}
