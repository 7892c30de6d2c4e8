//! Evaluates the rules of Prometheus over the series that lens keeps: each group at its interval, one group after the other.
//!
//! The evaluations run on a thread of their own: lens takes spans on one thread, which must not wait for them.

mod compiled;
mod log;
mod schedule;
mod states;

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use parking_lot::Mutex;
use promrules::{Group, GroupState, Health, Options, State};
use timeseries::Store;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{clock::Clock, config, metrics::RuleMetrics};
use schedule::Schedule;
use states::States;

/// The samples that a rule may hold: 16 MB.
const MAX_SAMPLES: usize = 1_000_000;

/// The results that a rule may have: the rules of the mesh have one for each service, route or topic.
const MAX_RESULTS: usize = 1_000;

/// How long one rule may take. It takes milliseconds; on a machine that is busy with a build, a rule that is late is better than
/// one that fails.
const DEADLINE: Duration = Duration::from_secs(10);

/// The shortest interval: more often would cost more than all other work of lens.
const SHORTEST: Duration = Duration::from_secs(1);

/// All groups of rules.
pub(crate) struct Rules {
    storage: Arc<Store>,
    states: Arc<States>,
    options: Options,
    metrics: RuleMetrics,
    clock: Clock,
    groups: Vec<Scheduled>,
}

struct Scheduled {
    group: Mutex<Group>,
    schedule: Schedule,
}

impl Rules {
    /// Reads all rules.
    pub(crate) fn new(
        storage: &Arc<Store>,
        settings: &config::Rules,
        metrics: RuleMetrics,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let groups = read(settings)?;
        let states = States::default();
        states.publish(groups.iter().map(|group| Arc::new(group.snapshot())).collect());
        let count = u32::try_from(groups.len()).unwrap_or(u32::MAX).max(1);
        // The groups follow each other within the shortest interval, so that alerts read what the recording rules before them
        // have just recorded.
        let shortest = groups.iter().map(Group::interval).min().unwrap_or(settings.every);
        let scheduled = |(place, group): (u32, Group)| Scheduled {
            schedule: Schedule::new(group.interval(), shortest * place / count),
            group: Mutex::new(group.restored()),
        };
        for group in states.groups() {
            // `increase` needs the zero before the first evaluation, and before the first failure.
            for counter in
                [&metrics.rule_evaluations_total, &metrics.rule_evaluation_failures_total]
            {
                counter.with_label_values(&[&*group.name]).inc_by(0);
            }
        }
        let query = promql::Options {
            max_samples: MAX_SAMPLES,
            subquery_step: settings.every,
            deadline: DEADLINE,
            ..promql::Options::default()
        };
        Ok(Self {
            storage: Arc::clone(storage),
            states: Arc::new(states),
            options: Options {
                query,
                max_results: MAX_RESULTS,
                external_url: settings.external_url.clone(),
                ..Options::default()
            },
            metrics,
            clock,
            groups: (0..).zip(groups).map(scheduled).collect(),
        })
    }

    /// Returns, whenever it is called, what is known of all groups then.
    pub(crate) fn groups(&self) -> Arc<dyn Fn() -> Vec<Arc<GroupState>> + Send + Sync> {
        let states = Arc::clone(&self.states);
        Arc::new(move || states.groups())
    }

    /// Evaluates the groups when they are due, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut due: Vec<_> = self
            .groups
            .iter()
            .map(|scheduled| scheduled.schedule.after(self.clock.now_ms()))
            .collect();
        while let Some((place, due_ms)) =
            due.iter().copied().enumerate().min_by_key(|(_, at_ms)| *at_ms)
        {
            let (schedule, now_ms) = (self.groups[place].schedule, self.clock.now_ms());
            if let Some(wait) = schedule.wait(due_ms, now_ms) {
                due[place] = schedule.due_at(due_ms, now_ms);
                sleep(wait).await;
                continue; // with the clock as it is then: it may have been set
            }
            let at_ms = schedule.at(now_ms);
            let rules = Arc::clone(&self);
            if let Err(error) = spawn_blocking(move || rules.evaluate(place, at_ms)).await {
                tracing::error!(%error, "the evaluation of a group of rules panicked");
            }
            due[place] = schedule.after(self.clock.now_ms().max(at_ms));
        }
    }

    /// Evaluates one group at a moment, in milliseconds since the Unix epoch.
    fn evaluate(&self, place: usize, at_ms: i64) {
        let scheduled = &self.groups[place];
        let mut group = scheduled.group.lock();
        let outcome = group.evaluate(&*self.storage, at_ms, &self.options);
        let state = Arc::new(group.snapshot());
        let before = self.states.replace(place, &state);
        drop(group);
        log::alerts(&outcome.changed);
        if let Some(before) = before {
            log::failures(&before, &state);
        }
        self.count(&state);
    }

    fn count(&self, state: &GroupState) {
        let name = [&*state.name];
        let failed = state.rules.iter().filter(|rule| rule.health == Health::Err).count();
        self.metrics
            .rule_evaluations_total
            .with_label_values(&name)
            .inc_by(state.rules.len() as u64);
        self.metrics.rule_evaluation_failures_total.with_label_values(&name).inc_by(failed as u64);
        let took = state.evaluation.map(|evaluation| evaluation.took).unwrap_or_default();
        self.metrics.rule_group_duration_seconds.observe(took.as_secs_f64());
        let (mut pending, mut firing) = (0, 0);
        for alert in self
            .states
            .groups()
            .iter()
            .flat_map(|group| &group.rules)
            .flat_map(|rule| rule.active())
        {
            match alert.state {
                State::Pending => pending += 1,
                State::Firing => firing += 1,
                State::Inactive => {}
            }
        }
        self.metrics.alerts.with_label_values(&[State::Pending.as_str()]).set(pending);
        self.metrics.alerts.with_label_values(&[State::Firing.as_str()]).set(firing);
    }
}

/// All groups of the configured files, or of those in the binary.
fn read(settings: &config::Rules) -> anyhow::Result<Vec<Group>> {
    ensure!(
        settings.every >= SHORTEST,
        "rules.every is {:?}; expected at least {SHORTEST:?}",
        settings.every
    );
    if !settings.enabled {
        return Ok(vec![]);
    }
    let mut groups = Vec::new();
    if settings.files.is_empty() {
        for (name, text) in compiled::FILES {
            groups.extend(promrules::file::parse(name, text, settings.every)?);
        }
    }
    for path in &settings.files {
        let text = read_file(path)?;
        groups.extend(promrules::file::parse(&path.display().to_string(), &text, settings.every)?);
    }
    Ok(groups)
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("read the rules in {}", path.display()))
}

#[cfg(test)]
mod tests;
