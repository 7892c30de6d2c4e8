//! Queries: at one moment, over a range, and the exemplars of what a query selects.

use std::time::Duration;

use axum::{extract::State, response::Response};
use promql::{Labels, Query, Range, Sample, Select, Series, Value};
use serde_json::json;
use timeseries::{ExemplarSample, ExemplarSeries};

use super::{
    Shared,
    answer::{self, Kind, Refusal, success},
    evaluation::Evaluator,
    json,
    params::{Params, in_order},
};

/// The maximum of steps of a range query, as in Prometheus: more than any screen has pixels.
const MOST_POINTS: i64 = 11_000;

/// The maximum of exemplars that one answer has.
const MOST_EXEMPLARS: usize = 10_000;

/// `/query`.
pub(super) async fn instant(
    State(prometheus): Shared,
    params: Params,
) -> Result<Response, Refusal> {
    let at_ms = params.time("time")?.unwrap_or_else(|| prometheus.clock.now_ms());
    let limit = params.limit("limit")?;
    let query = params.query()?.to_owned();
    let evaluation = prometheus.evaluator.evaluate(options(&params)?, move |storage, options| {
        Query::parse(&query)?.instant(storage, at_ms, options)
    });
    Ok(match evaluation.await? {
        Value::Scalar(sample) => {
            let mut pair = String::new();
            json::sample(&mut pair, sample);
            pair_result("scalar", &pair)
        }
        Value::String(at_ms, text) => {
            let mut pair = String::from("[");
            json::time(&mut pair, at_ms);
            pair.push(',');
            json::text(&mut pair, &text);
            pair.push(']');
            pair_result("string", &pair)
        }
        Value::Vector(samples) => answer::result("vector", samples, limit, one_sample),
        Value::Matrix(series) => answer::result("matrix", series, limit, all_samples),
    })
}

/// `/query_range`.
pub(super) async fn range(State(prometheus): Shared, params: Params) -> Result<Response, Refusal> {
    let range = range_of(&params)?;
    let limit = params.limit("limit")?;
    let query = params.query()?.to_owned();
    let evaluation = prometheus.evaluator.evaluate(options(&params)?, move |storage, options| {
        Query::parse(&query)?.range(storage, range, options)
    });
    Ok(answer::result("matrix", evaluation.await?, limit, all_samples))
}

fn options(params: &Params) -> Result<promql::Options, Refusal> {
    let duration = |name: &str| -> Result<Option<Duration>, Refusal> {
        let ms = params.duration(name)?;
        Ok(ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis))
    };
    let mut options = Evaluator::options(duration("timeout")?);
    if let Some(lookback) = duration("lookback_delta")?.filter(|lookback| !lookback.is_zero()) {
        options.lookback = lookback;
    }
    Ok(options)
}

fn range_of(params: &Params) -> Result<Range, Refusal> {
    let (start_ms, end_ms) = (params.required_time("start")?, params.required_time("end")?);
    in_order(start_ms, end_ms)?;
    let step = "a positive step: seconds, as 15, or a duration, as 15s";
    let step_ms = params.duration("step")?.ok_or_else(|| Refusal::parameter("step", "", step))?;
    if step_ms == 0 {
        return Err(Refusal::parameter("step", params.text("step").unwrap_or_default(), step));
    }
    let points = (end_ms - start_ms) / step_ms;
    if points > MOST_POINTS {
        let at_least = (end_ms - start_ms + MOST_POINTS - 1) / MOST_POINTS;
        let text = format!(
            "exceeded maximum resolution of {MOST_POINTS} points per timeseries: a step of {}s makes {points} \
             points; use one of at least {}s, or a shorter time",
            step_ms as f64 / 1e3,
            at_least as f64 / 1e3,
        );
        return Err(Refusal::new(Kind::BadData, text));
    }
    Ok(Range { start_ms, end_ms, step_ms })
}

/// `/query_exemplars`: the exemplars of all series that the selectors in the query select.
pub(super) async fn exemplars(
    State(prometheus): Shared,
    params: Params,
) -> Result<Response, Refusal> {
    let query = Query::parse(params.query()?).map_err(|error| Refusal::query(&error))?;
    let (from_ms, to_ms) = params.period(prometheus.clock.now_ms())?;
    let mut all: Vec<ExemplarSeries> = Vec::new();
    for matchers in &query.selectors() {
        all.extend(prometheus.store.exemplars(&Select { matchers, from_ms, to_ms }));
    }
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all.dedup_by(|a, b| a.labels == b.labels);
    let count: usize = all.iter().map(|series| series.exemplars.len()).sum();
    if count > MOST_EXEMPLARS {
        let text = format!(
            "the query selects {count} exemplars; the limit is {MOST_EXEMPLARS}: select fewer series or a shorter time"
        );
        return Err(Refusal::new(Kind::Execution, text));
    }
    Ok(answer::list(all, 0, exemplar_series))
}

/// `/format_query`: the query in one form, however it was written.
pub(super) async fn format(params: Params) -> Result<Response, Refusal> {
    let query = Query::parse(params.query()?).map_err(|error| Refusal::query(&error))?;
    Ok(success(json!(query.expression().prettify())))
}

fn pair_result(kind: &str, pair: &str) -> Response {
    answer::raw(format!(
        r#"{{"status":"success","data":{{"resultType":"{kind}","result":{pair}}}}}"#
    ))
}

fn one_sample((labels, sample): &(Labels, Sample), out: &mut String) {
    out.push_str(r#"{"metric":"#);
    json::labels(out, labels);
    out.push_str(r#","value":"#);
    json::sample(out, *sample);
    out.push('}');
}

fn all_samples(series: &Series, out: &mut String) {
    out.push_str(r#"{"metric":"#);
    json::labels(out, &series.labels);
    out.push_str(r#","values":"#);
    json::list(out, &series.samples, |out, sample| json::sample(out, *sample));
    out.push('}');
}

fn exemplar_series(series: &ExemplarSeries, out: &mut String) {
    out.push_str(r#"{"seriesLabels":"#);
    json::labels(out, &series.labels);
    out.push_str(r#","exemplars":"#);
    json::list(out, &series.exemplars, exemplar);
    out.push('}');
}

fn exemplar(out: &mut String, exemplar: &ExemplarSample) {
    out.push_str(r#"{"labels":"#);
    json::labels(out, &exemplar.labels);
    out.push_str(r#","value":"#);
    json::value(out, exemplar.sample.value);
    out.push_str(r#","timestamp":"#);
    json::time(out, exemplar.sample.at_ms);
    out.push('}');
}
