//! Rule files: <https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/>.

mod document;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use promql::{Labels, METRIC_NAME, Query};

use crate::{
    duration,
    group::Group,
    rule::{Alerting, Kind, Rule},
    template::Template,
};
use document::{GroupText, RuleText, Texts};

/// The maximum size of a file: a thousand rules of the usual length are a tenth of it.
const MAX_FILE: usize = 1 << 20;

/// The maximum length of an expression.
const MAX_EXPRESSION: usize = 16 << 10;

/// A mistake in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The group; none if the mistake concerns the whole file.
    pub group: Option<String>,
    /// The place of the rule in its group, from 1 on, and its name; none if the mistake concerns the whole group.
    pub rule: Option<(usize, String)>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "group {group:?}, ")?;
        }
        if let Some((place, name)) = &self.rule {
            write!(f, "rule {place}, {name:?}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// All mistakes of a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file's name.
    pub file: String,
    /// Its mistakes, at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().enumerate() {
            let line = if number == 0 { "" } else { "\n" };
            write!(f, "{line}{}: {mistake}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Parses a rule file. Groups that name no interval are evaluated every `interval`.
///
/// # Errors
/// All mistakes of the file.
pub fn parse(file: &str, text: &str, interval: Duration) -> Result<Vec<Group>, Mistakes> {
    let mut reading = Reading { mistakes: Vec::new(), group: None, rule: None };
    let groups = reading.file(file, text, interval);
    if reading.mistakes.is_empty() {
        Ok(groups)
    } else {
        Err(Mistakes { file: file.to_owned(), mistakes: reading.mistakes })
    }
}

/// Collects mistakes, and knows where it is.
struct Reading {
    mistakes: Vec<Mistake>,
    group: Option<String>,
    rule: Option<(usize, String)>,
}

impl Reading {
    fn mistake(&mut self, reason: impl Into<String>) {
        let (group, rule) = (self.group.clone(), self.rule.clone());
        self.mistakes.push(Mistake { group, rule, reason: reason.into() });
    }

    /// The value, or none and a mistake.
    fn check<T>(&mut self, value: Result<T, String>) -> Option<T> {
        value.map_err(|reason| self.mistake(reason)).ok()
    }

    fn file(&mut self, file: &str, text: &str, interval: Duration) -> Vec<Group> {
        if text.len() > MAX_FILE {
            let size = text.len();
            self.mistake(format!(
                "the file has {size} bytes; at most {MAX_FILE} are allowed: split it"
            ));
            return vec![];
        }
        let Some((document, unknown)) = self.check(document::read(text)) else { return vec![] };
        for key in unknown {
            self.mistake(key);
        }
        let mut names = BTreeSet::new();
        let mut groups = Vec::new();
        for group in document {
            let name = group.name.clone();
            self.group = Some(name.clone());
            if name.is_empty() {
                self.mistake("the group has no name");
            }
            if !names.insert(name) {
                self.mistake("another group of this file has this name");
            }
            groups.extend(self.group(file, group, interval));
            self.group = None;
        }
        groups
    }

    fn group(&mut self, file: &str, text: GroupText, interval: Duration) -> Option<Group> {
        let interval = match self.duration("interval", &text.interval)? {
            Duration::ZERO => interval,
            own => own,
        };
        let query_offset = self.duration("query_offset", &text.query_offset)?;
        self.label_names(&text.labels);
        let mut rules = Vec::new();
        for (place, rule) in text.rules.into_iter().enumerate() {
            let name = rule.alert.clone().or(rule.record.clone()).unwrap_or_default();
            self.rule = Some((place + 1, name));
            rules.extend(self.rule(rule, &text.labels));
            self.rule = None;
        }
        Some(Group::new(file, &text.name, interval, query_offset, text.limit, rules))
    }

    fn duration(&mut self, key: &str, text: &Option<String>) -> Option<Duration> {
        let Some(text) = text else { return Some(Duration::ZERO) };
        self.check(duration::parse(text).map_err(|reason| format!("{key}: {reason}")))
    }

    fn label_names(&mut self, labels: &Texts) {
        for name in labels.keys().filter(|name| name.is_empty() || *name == METRIC_NAME) {
            self.mistake(format!("labels: {name:?} is no name for a label"));
        }
    }

    fn rule(&mut self, text: RuleText, of_group: &Texts) -> Option<Rule> {
        self.label_names(&text.labels);
        let query = self.query(&text.expr);
        let (name, kind) = match (&text.record, &text.alert) {
            (Some(name), None) => (name, self.recording(name, &text).then_some(Kind::Recording)),
            (None, Some(name)) => (name, self.alerting(&text, of_group).map(Kind::Alerting)),
            (Some(_), Some(_)) => {
                return self.check(Err("has record and alert; expected one of them".to_owned()));
            }
            (None, None) => return self.check(Err("has neither record nor alert".to_owned())),
        };
        let all = of_group.iter().chain(&text.labels);
        let labels =
            Labels::new(all.map(|(name, value)| (Arc::from(&**name), Arc::from(&**value))));
        let name = Arc::from(&**name);
        Some(Rule {
            name,
            expression: text.expr.trim().to_owned(),
            labels,
            kind: kind?,
            query: query?,
        })
    }

    fn query(&mut self, text: &str) -> Option<Query> {
        let length = text.len();
        let query = match length {
            0 => Err("expr: it is missing".to_owned()),
            1..=MAX_EXPRESSION => Query::parse(text).map_err(|error| format!("expr: {error}")),
            _ => Err(format!(
                "expr has {length} bytes; at most {MAX_EXPRESSION} are allowed: record a part of it"
            )),
        };
        self.check(query)
    }

    fn recording(&mut self, name: &str, text: &RuleText) -> bool {
        let before = self.mistakes.len();
        if name.is_empty() || name.contains(['{', '}']) {
            self.mistake(format!("record: {name:?} is no name for a series"));
        }
        let keys = [
            ("annotations", !text.annotations.is_empty()),
            ("for", text.hold.is_some()),
            ("keep_firing_for", text.keep_firing_for.is_some()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
            self.mistake(format!("{key} is for alerts, and this rule records a series"));
        }
        self.mistakes.len() == before
    }

    fn alerting(&mut self, text: &RuleText, of_group: &Texts) -> Option<Alerting> {
        let hold = self.duration("for", &text.hold);
        let keep_firing_for = self.duration("keep_firing_for", &text.keep_firing_for);
        for name in text.annotations.keys().filter(|name| name.is_empty()) {
            self.mistake(format!("annotations: {name:?} is no name"));
        }
        let mut labels = of_group.clone();
        labels.extend(text.labels.clone());
        let label_templates = self.templates("labels", &labels);
        let annotation_templates = self.templates("annotations", &text.annotations);
        let annotations = Arc::new(text.annotations.clone());
        Some(Alerting {
            hold: hold?,
            keep_firing_for: keep_firing_for?,
            annotations,
            label_templates,
            annotation_templates,
        })
    }

    fn templates(&mut self, key: &str, texts: &Texts) -> Vec<(Arc<str>, Template)> {
        let mut templates = Vec::new();
        for (name, text) in texts {
            let template =
                Template::parse(text).map_err(|reason| format!("{key}: {name}: {reason}"));
            templates.extend(self.check(template).map(|template| (Arc::from(&**name), template)));
        }
        templates
    }
}

#[cfg(test)]
mod tests;
