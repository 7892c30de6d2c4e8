//! Runs the files that `promtool test rules` runs:
//! <https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>.
//!
//! ```text
//!  input_series ─▶ samples up to a moment ─▶ the rules at this moment ─▶ alerts, compared with alert_rule_test
//!                                     └──── at the end: promql_expr_test
//! ```

mod document;
mod expected;
mod recorded;
mod series;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{
    alerts::millis,
    duration, file,
    group::{Group, Options},
};
use document::{Document, Test};
use expected::Expected;
use recorded::Recorded;

/// The maximum of evaluations of a test: a misspelt time must not run for hours.
const MAX_EVALUATIONS: i64 = 200_000;

/// What a file of tests found.
#[derive(Debug, Default)]
pub struct Summary {
    /// The number of expectations that were compared.
    pub checks: usize,
    /// What differs, and what could not be evaluated.
    pub failures: Vec<String>,
}

/// Runs a file of tests; it names its rule files relative to its own folder.
///
/// # Errors
/// A file cannot be read or has mistakes.
pub fn run(path: &Path) -> Result<Summary, String> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    run_text(&read(path)?, &|name| read(&folder.join(name)))
}

/// Runs the text of a file of tests; `read` returns the text of a rule file by its name.
///
/// # Errors
/// A file cannot be read or has mistakes.
pub fn run_text(
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Summary, String> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let interval = match document::duration(&document.evaluation_interval)? {
        Duration::ZERO => Duration::from_secs(60),
        interval => interval,
    };
    let order = document.order()?;
    let files: BTreeMap<_, _> = document
        .rule_files
        .iter()
        .map(|name| match name.contains(['*', '?', '[']) {
            true => {
                Err(format!("rule_files: the pattern {name:?} is not supported; name the file"))
            }
            false => Ok((name, read(name)?)),
        })
        .collect::<Result<_, String>>()?;
    let mut summary = Summary::default();
    for test in &document.tests {
        let mut groups = Vec::new();
        for (name, text) in &files {
            groups.extend(
                file::parse(name, text, interval).map_err(|mistakes| mistakes.to_string())?,
            );
        }
        groups.sort_by_key(|group| order.get(group.name()).copied().unwrap_or(0));
        let name = if test.name.is_empty() { "a test without a name" } else { &test.name };
        let mut run = Run { interval, groups, checks: 0, failures: Vec::new() };
        if let Err(mistake) = run.test(test) {
            run.failures.push(mistake);
        }
        summary.checks += run.checks;
        summary.failures.extend(run.failures.iter().map(|failure| format!("{name}: {failure}")));
    }
    Ok(summary)
}

/// One test on its way.
struct Run {
    interval: Duration,
    groups: Vec<Group>,
    checks: usize,
    failures: Vec<String>,
}

impl Run {
    fn test(&mut self, test: &Test) -> Result<(), String> {
        let start_ms = document::moment(&test.start_timestamp)?;
        let expected = Expected::parse(test)?;
        let between = match document::duration(&test.interval)? {
            Duration::ZERO => self.interval,
            interval => interval,
        };
        let storage = Recorded::new(&test.input_series, start_ms, millis(between))?;
        let options = Options {
            query: promql::Options { subquery_step: self.interval, ..promql::Options::default() },
            external_url: test.external_url.clone(),
            external_labels: document::labels(&test.external_labels),
            ..Options::default()
        };
        let (step_ms, end_ms) = (millis(self.interval), expected.end_ms());
        if end_ms / step_ms > MAX_EVALUATIONS {
            let interval = duration::write(self.interval);
            return Err(format!(
                "more than {MAX_EVALUATIONS} evaluations until the last eval_time, one each {interval}"
            ));
        }
        for elapsed_ms in (0..=end_ms).step_by(usize::try_from(step_ms).unwrap_or(usize::MAX)) {
            storage.advance(start_ms + elapsed_ms);
            self.evaluate(&storage, start_ms + elapsed_ms, &options)?;
            for alerts in expected.alerts(elapsed_ms, elapsed_ms + step_ms) {
                self.checks += 1;
                self.failures.extend(alerts.difference(&self.groups));
            }
        }
        for samples in expected.samples() {
            self.checks += 1;
            self.failures.extend(samples.difference(&storage, start_ms, &options.query));
        }
        Ok(())
    }

    /// Evaluates all groups; an error of a rule ends the test.
    fn evaluate(
        &mut self,
        storage: &Recorded,
        at_ms: i64,
        options: &Options,
    ) -> Result<(), String> {
        let mut failures = Vec::new();
        for group in &mut self.groups {
            let outcome = group.evaluate(storage, at_ms, options);
            failures
                .extend(outcome.failures.iter().map(|(rule, reason)| format!("{rule}: {reason}")));
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(format!("at {at_ms} ms: {}", failures.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests;
