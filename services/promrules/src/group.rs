//! A group of rules: they are evaluated one after the other, and each reads what the earlier ones recorded.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use promql::{Append, Labels, METRIC_NAME, Query, STALE, Storage};

use crate::{
    alerts::{Alerts, Limits, Outage, millis},
    results,
    rule::{Alerting, Kind, Rule},
    snapshot::{Alert, Evaluation, GroupState, Health, RuleState},
    template::Data,
};

/// The evaluations before alerts are restored, as in Prometheus: the first sees too few samples.
const BEFORE_RESTORE: u8 = 2;

/// Limits and surroundings of an evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limits of each query.
    pub query: promql::Options,
    /// The maximum of results of a rule, whatever its group allows.
    pub max_results: usize,
    /// The URL at which people reach the server: `$externalURL` of the templates.
    pub external_url: String,
    /// `$externalLabels` of the templates.
    pub external_labels: Labels,
    /// After a longer outage, no alert is restored: Prometheus' `--rules.alert.for-outage-tolerance`.
    pub outage_tolerance: Duration,
    /// A restored alert waits at least this long: Prometheus' `--rules.alert.for-grace-period`.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            query: promql::Options::default(),
            max_results: 5_000,
            external_url: String::new(),
            external_labels: Labels::empty(),
            outage_tolerance: Duration::from_secs(3_600),
            grace: Duration::from_secs(600),
        }
    }
}

/// What an evaluation of a group did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The alerts that began to fire or were resolved.
    pub changed: Vec<Alert>,
    /// The rules that failed, by name, and why.
    pub failures: Vec<(Arc<str>, String)>,
    /// The number of samples that were written.
    pub samples: usize,
}

/// A group of rules, and the states of their alerts.
#[derive(Debug)]
pub struct Group {
    name: Arc<str>,
    file: Arc<str>,
    interval: Duration,
    query_offset: Duration,
    limit: usize,
    rules: Vec<Running>,
    evaluation: Option<Evaluation>,
    /// Evaluations until the alerts are restored; before that, no samples of alerts are written.
    until_restore: u8,
}

/// A rule, and what is known about it.
#[derive(Debug)]
struct Running {
    rule: Arc<Rule>,
    alerts: Alerts,
    /// The series that the last evaluation wrote.
    series: BTreeSet<Labels>,
    health: Health,
    last_error: Option<String>,
    evaluation: Option<Evaluation>,
}

impl Group {
    pub(crate) fn new(
        file: &str,
        name: &str,
        interval: Duration,
        query_offset: Duration,
        limit: usize,
        rules: Vec<Rule>,
    ) -> Self {
        let running = |rule| Running {
            rule: Arc::new(rule),
            alerts: Alerts::default(),
            series: BTreeSet::new(),
            health: Health::Unknown,
            last_error: None,
            evaluation: None,
        };
        Self {
            name: name.into(),
            file: file.into(),
            interval,
            query_offset,
            limit,
            rules: rules.into_iter().map(running).collect(),
            evaluation: None,
            until_restore: 0,
        }
    }

    /// Lets the alerts go on where an earlier process left them, if the storage still has their samples.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.until_restore = BEFORE_RESTORE;
        self
    }

    /// The group's name, unique in its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interval between two evaluations.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Evaluates all rules at one moment, in milliseconds since the Unix epoch. A rule that fails stops no other.
    pub fn evaluate<S: Append>(&mut self, storage: &S, at_ms: i64, options: &Options) -> Outcome {
        let clock = Clock::start();
        let mut outcome = Outcome::default();
        for place in 0..self.rules.len() {
            let clock = Clock::start();
            let result = self.evaluate_rule(place, storage, at_ms, options, &mut outcome);
            let running = &mut self.rules[place];
            running.health = if result.is_ok() { Health::Ok } else { Health::Err };
            running.last_error = result.err();
            running.evaluation = Some(Evaluation { at_ms, took: clock.elapsed() });
            let name = Arc::clone(&running.rule.name);
            outcome.failures.extend(running.last_error.clone().map(|reason| (name, reason)));
        }
        if self.until_restore > 0 {
            self.until_restore -= 1;
            if self.until_restore == 0 {
                self.restore(storage, at_ms, options, &mut outcome);
            }
        }
        self.evaluation = Some(Evaluation { at_ms, took: clock.elapsed() });
        outcome
    }

    fn evaluate_rule<S: Append>(
        &mut self,
        place: usize,
        storage: &S,
        at_ms: i64,
        options: &Options,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let running = &mut self.rules[place];
        let rule = Arc::clone(&running.rule);
        let sampled_ms = at_ms - millis(self.query_offset);
        let results = results::of(&rule.query, storage, sampled_ms, &options.query)?;
        if results.len() > options.max_results {
            let (max, count) = (options.max_results, results.len());
            return Err(format!(
                "the rule has {count} results; at most {max} are allowed: aggregate them"
            ));
        }
        let samples = match &rule.kind {
            Kind::Recording => recorded(&rule, results, self.limit)?,
            Kind::Alerting(alerting) => {
                let current = alerts(&rule, alerting, results, storage, at_ms, options);
                let limits = Limits { of_group: self.limit, resolved: options.max_results };
                outcome.changed.extend(running.alerts.update(current, alerting, at_ms, limits)?);
                if self.until_restore > 0 { vec![] } else { running.alerts.samples() }
            }
        };
        self.write(place, storage, sampled_ms, samples, outcome);
        Ok(())
    }

    /// Writes the samples of a rule, and ends the series that it no longer has, unless another rule of the group has them.
    fn write<S: Append>(
        &mut self,
        place: usize,
        storage: &S,
        at_ms: i64,
        mut samples: Vec<(Labels, f64)>,
        outcome: &mut Outcome,
    ) {
        let series: BTreeSet<_> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let before = std::mem::replace(&mut self.rules[place].series, series);
        let is_gone = |labels: &Labels| !self.rules.iter().any(|rule| rule.series.contains(labels));
        samples.extend(before.into_iter().filter(is_gone).map(|labels| (labels, STALE)));
        outcome.samples += samples.len();
        if !samples.is_empty() {
            storage.append(&self.name, at_ms, &samples);
        }
    }

    fn restore(
        &mut self,
        storage: &dyn Storage,
        at_ms: i64,
        options: &Options,
        outcome: &mut Outcome,
    ) {
        let outage = Outage { tolerance: options.outage_tolerance, grace: options.grace };
        for Running { rule, alerts, .. } in &mut self.rules {
            if let Kind::Alerting(alerting) = &rule.kind {
                let result =
                    alerts.restore(&rule.name, alerting, storage, at_ms, outage, &options.query);
                let failure =
                    |reason| (Arc::clone(&rule.name), format!("restore alerts: {reason}"));
                outcome.failures.extend(result.err().map(failure));
            }
        }
    }

    /// The alerts of the rules with a name.
    pub(crate) fn alerts_of(&self, name: &str) -> impl Iterator<Item = &Alert> {
        let rules = self.rules.iter().filter(move |running| *running.rule.name == *name);
        rules.flat_map(|running| running.alerts.iter())
    }

    /// What is known now.
    pub fn snapshot(&self) -> GroupState {
        let rule = |running: &Running| RuleState {
            rule: Arc::clone(&running.rule),
            health: running.health,
            last_error: running.last_error.clone(),
            evaluation: running.evaluation,
            alerts: running.alerts.iter().cloned().collect(),
        };
        GroupState {
            name: Arc::clone(&self.name),
            file: Arc::clone(&self.file),
            interval: self.interval,
            limit: self.limit,
            evaluation: self.evaluation,
            rules: self.rules.iter().map(rule).collect(),
        }
    }
}

/// The samples of a recording rule.
fn recorded(
    rule: &Rule,
    results: Vec<(Labels, f64)>,
    limit: usize,
) -> Result<Vec<(Labels, f64)>, String> {
    let name = (METRIC_NAME.into(), Arc::clone(&rule.name));
    let own: Vec<_> = [name].into_iter().chain(rule.labels.iter().cloned()).collect();
    let relabel = |labels: &Labels| Labels::new(labels.iter().chain(&own).cloned());
    let samples: Vec<_> = results.iter().map(|(labels, value)| (relabel(labels), *value)).collect();
    let unique: HashSet<_> = samples.iter().map(|(labels, _)| labels).collect();
    if unique.len() < samples.len() {
        return Err(
            "two results have the same labels after the labels of the rule were set".to_owned()
        );
    }
    if limit > 0 && samples.len() > limit {
        return Err(format!("exceeded limit of {limit} with {} series", samples.len()));
    }
    Ok(samples)
}

/// The results of an alerting rule as alerts.
fn alerts(
    rule: &Rule,
    alerting: &Alerting,
    results: Vec<(Labels, f64)>,
    storage: &dyn Storage,
    at_ms: i64,
    options: &Options,
) -> Vec<Alert> {
    let query = |text: &str| {
        let query = Query::parse(text).map_err(|error| error.to_string())?;
        results::of(&query, storage, at_ms, &options.query)
    };
    let alert = |(labels, value): &(Labels, f64)| {
        let data = Data {
            labels,
            value: *value,
            external_labels: &options.external_labels,
            external_url: &options.external_url,
            now_ms: at_ms,
            query: &query,
        };
        Alert::new(rule, alerting, &data, at_ms)
    };
    results.iter().map(alert).collect()
}

/// Measures how long something takes.
#[expect(clippy::disallowed_types, reason = "it measures work, and no test waits for it")]
struct Clock(std::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_types, reason = "it measures work, and no test waits for it")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests;
