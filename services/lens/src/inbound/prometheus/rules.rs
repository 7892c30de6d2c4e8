//! Rules and the alerts of their last evaluation.

use std::time::{Duration, SystemTime};

use axum::{extract::State, response::Response};
use promql::{Labels, Matchers};
use promrules::{Alert, Alerting, Evaluation, GroupState, Kind, RuleState, State as AlertState};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    answer::{Refusal, success},
    json,
    params::Params,
    series::selector,
};

/// Go's zero time, which Prometheus answers for a rule that was never evaluated.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

/// `/rules`.
pub(super) async fn rules(State(prometheus): Shared, params: Params) -> Result<Response, Refusal> {
    let filter = Filter::read(&params)?;
    let groups = (prometheus.groups)();
    let shown = groups.iter().filter_map(|state| group(state, &filter));
    Ok(success(json!({ "groups": shown.collect::<Vec<_>>() })))
}

/// `/alerts`.
pub(super) async fn alerts(State(prometheus): Shared) -> Response {
    let groups = (prometheus.groups)();
    let rules = groups.iter().flat_map(|group| &group.rules);
    success(json!({ "alerts": rules.flat_map(RuleState::active).map(alert).collect::<Vec<_>>() }))
}

/// Which rules to show.
struct Filter {
    kind: Option<String>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    labels: Vec<Matchers>,
    exclude_alerts: bool,
}

impl Filter {
    fn read(params: &Params) -> Result<Self, Refusal> {
        let all = |name: &str| params.all(name).map(str::to_owned).collect();
        let exclude = params.text("exclude_alerts");
        let exclude_alerts = match exclude {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(other) => {
                return Err(Refusal::parameter("exclude_alerts", other, "true or false"));
            }
        };
        let kind = params.text("type");
        if let Some(other) = kind.filter(|kind| !["alert", "record"].contains(kind)) {
            return Err(Refusal::parameter("type", other, "alert or record"));
        }
        Ok(Self {
            kind: kind.map(str::to_owned),
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            labels: params.selectors()?.into_iter().map(selector).collect::<Result<_, _>>()?,
            exclude_alerts,
        })
    }

    fn has_group(&self, group: &GroupState) -> bool {
        is_among(&self.groups, &group.name) && is_among(&self.files, &group.file)
    }

    fn has_rule(&self, state: &RuleState) -> bool {
        let kind = match state.rule.kind {
            Kind::Alerting(_) => "alert",
            Kind::Recording => "record",
        };
        let fits = |matchers: &Matchers| {
            matchers.matchers.iter().all(|one| one.is_match(state.rule.labels.get(&one.name)))
        };
        self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && is_among(&self.names, &state.rule.name)
            && (self.labels.is_empty() || self.labels.iter().any(fits))
    }
}

/// Whether a name is wanted; all are if none is named.
fn is_among(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == name)
}

/// A group with the rules that are wanted; `None` if it has none of them.
fn group(state: &GroupState, filter: &Filter) -> Option<Value> {
    let wanted = state.rules.iter().filter(|state| filter.has_rule(state));
    let rules: Vec<_> = wanted.map(|state| rule(state, filter.exclude_alerts)).collect();
    if rules.is_empty() || !filter.has_group(state) {
        return None;
    }
    Some(json!({
        "name": &*state.name,
        "file": &*state.file,
        "rules": rules,
        "interval": state.interval.as_secs_f64(),
        "limit": state.limit,
        "evaluationTime": took(state.evaluation),
        "lastEvaluation": at(state.evaluation),
    }))
}

fn rule(state: &RuleState, exclude_alerts: bool) -> Value {
    let mut shown = json!({
        "name": &*state.rule.name,
        "query": state.rule.expression,
        "labels": labels(&state.rule.labels),
        "health": state.health.as_str(),
        "evaluationTime": took(state.evaluation),
        "lastEvaluation": at(state.evaluation),
        "type": "recording",
    });
    if let Some(error) = &state.last_error {
        shown["lastError"] = error.as_str().into();
    }
    if let Kind::Alerting(alerting) = &state.rule.kind {
        let Alerting { hold, keep_firing_for, annotations, .. } = alerting;
        let active = if exclude_alerts { vec![] } else { state.active().map(alert).collect() };
        shown["type"] = "alerting".into();
        shown["state"] = state.state().map_or("unknown", AlertState::as_str).into();
        shown["duration"] = hold.as_secs_f64().into();
        shown["keepFiringFor"] = keep_firing_for.as_secs_f64().into();
        shown["annotations"] = json!(**annotations);
        shown["alerts"] = active.into();
    }
    shown
}

fn alert(alert: &Alert) -> Value {
    let mut shown = json!({
        "labels": labels(&alert.labels),
        "annotations": *alert.annotations,
        "state": alert.state.as_str(),
        "activeAt": time(alert.active_at_ms),
        "value": json::scientific(alert.value),
    });
    if let Some(since) = alert.keep_firing_since_ms {
        shown["keepFiringSince"] = time(since).into();
    }
    shown
}

/// Labels as an object.
pub(super) fn labels(labels: &Labels) -> Value {
    let pairs = labels.iter().map(|(name, value)| (name.to_string(), (**value).into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn at(evaluation: Option<Evaluation>) -> String {
    evaluation.map_or_else(|| NEVER.to_owned(), |evaluation| time(evaluation.at_ms))
}

fn took(evaluation: Option<Evaluation>) -> f64 {
    evaluation.map_or(0.0, |evaluation| evaluation.took.as_secs_f64())
}

/// RFC 3339, to the millisecond.
pub(super) fn time(at_ms: i64) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(at_ms).unwrap_or_default());
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_epoch).to_string()
}
