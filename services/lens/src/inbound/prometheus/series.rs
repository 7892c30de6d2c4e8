//! What there is to query: series, names and values of labels, and the descriptions of metrics.

use std::collections::BTreeSet;

use axum::{
    extract::{Path, State},
    response::Response,
};
use promql::{Labels, Matchers, Query, Select};
use serde_json::{Map, Value, json};

use super::{
    Prometheus, Shared,
    answer::{self, Kind, Refusal, success},
    json,
    params::Params,
};

/// `/series`.
pub(super) async fn series(State(prometheus): Shared, params: Params) -> Result<Response, Refusal> {
    if params.text("match[]").is_none() {
        let text = "no match[] parameter provided; name the series, as match[]=up";
        return Err(Refusal::new(Kind::BadData, text));
    }
    let mut found = matching(&prometheus, &params)?;
    found.sort();
    Ok(answer::list(found, params.limit("limit")?, |labels, out| json::labels(out, labels)))
}

/// `/labels`.
pub(super) async fn names(State(prometheus): Shared, params: Params) -> Result<Response, Refusal> {
    let mut names = BTreeSet::new();
    for labels in &matching(&prometheus, &params)? {
        names.extend(labels.iter().map(|(name, _)| name.to_string()));
    }
    texts(names, params.limit("limit")?)
}

/// `/label/<name>/values`.
pub(super) async fn values(
    State(prometheus): Shared,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    if !is_label(&name) {
        let expected = "a letter or _, then letters, digits and _";
        return Err(Refusal::parameter("name", &name, expected));
    }
    let mut values = BTreeSet::new();
    for labels in &matching(&prometheus, &params)? {
        let value = labels.get(&name);
        if !value.is_empty() {
            values.insert(value.to_owned());
        }
    }
    texts(values, params.limit("limit")?)
}

fn texts(texts: BTreeSet<String>, limit: usize) -> Result<Response, Refusal> {
    Ok(answer::list(texts.into_iter().collect(), limit, |text, out| json::text(out, text)))
}

fn is_label(name: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(is_word) && name.starts_with(|letter: char| !letter.is_ascii_digit())
}

/// The series that match one of `match[]` (all if there is none) and have samples between `start` and `end`.
fn matching(prometheus: &Prometheus, params: &Params) -> Result<Vec<Labels>, Refusal> {
    let (from_ms, to_ms) = params.period(prometheus.clock.now_ms())?;
    let mut selectors =
        params.selectors()?.into_iter().map(selector).collect::<Result<Vec<_>, _>>()?;
    if selectors.is_empty() {
        selectors.push(Matchers::empty());
    }
    let selects: Vec<_> =
        selectors.iter().map(|matchers| Select { matchers, from_ms, to_ms }).collect();
    Ok(prometheus.store.series(&selects))
}

/// The conditions of one `match[]`.
pub(super) fn selector(text: &str) -> Result<Matchers, Refusal> {
    let query = Query::parse(text)
        .map_err(|error| Refusal::parameter("match[]", text, format!("a selector: {error}")))?;
    query
        .as_selector()
        .ok_or_else(|| Refusal::parameter("match[]", text, "a selector, as up{job=\"orders\"}"))
}

/// `/metadata`.
pub(super) async fn metadata(
    State(prometheus): Shared,
    params: Params,
) -> Result<Response, Refusal> {
    let limit = params.limit("limit")?;
    let per_metric = params.limit("limit_per_metric")?;
    let or_all = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let wanted = params.text("metric");
    let all = prometheus.store.metadata().into_iter();
    let found = all.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name));
    let shown = found.take(or_all(limit)).map(|(name, descriptions)| {
        let shown = descriptions
            .iter()
            .take(or_all(per_metric))
            .map(|one| json!({ "type": one.kind, "help": one.help, "unit": one.unit }));
        (name, shown.collect::<Value>())
    });
    Ok(success(Value::Object(shown.collect::<Map<_, _>>())))
}
