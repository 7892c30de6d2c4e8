//! `mesh query`: evaluates PromQL and prints a table, or a line that shows how a value went.

mod sparkline;

use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use chassis::text::printable;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use self::sparkline::sparkline;
use crate::{
    address, output,
    prometheus::{Labels, NAME, Prometheus, series},
};

pub(crate) const EXAMPLES: &str = r#"Examples:
  mesh query up                                             the value of each series, now
  mesh query 'sum by (job) (rate(http_server_request_duration_seconds_count[1m]))'
  mesh query 'sum(rate(mesh_log_lines_total[1m]))' --range 10m     how it went
  mesh query 'mesh_consumer_lag > 0' --time 2026-01-02T03:04:05Z
  mesh query up --json | jq -r '.result[].metric.job'
  mesh query up --url http://localhost:8080/prometheus      what Compose or a cluster measured

lens keeps the metrics of the last half hour."#;

/// Query the metrics of the mesh with PromQL.
#[derive(Args)]
pub(crate) struct Options {
    /// The query, in PromQL.
    #[arg(value_name = "PROMQL")]
    query: String,
    /// The time of the query, or the end of the range: RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<f64>,
    /// Evaluate over this time and print a sparkline for each series: 10m, 1h.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    range: Option<Duration>,
    /// The time between two values of a range. Default: a sixtieth of the range.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "range")]
    step: Option<Duration>,
    /// The URL of a Prometheus. Default: lens of the mesh in this folder.
    #[arg(long, value_name = "URL", value_parser = address::http)]
    url: Option<String>,
    /// Print the result as JSON, as the API has it, with all series.
    #[arg(long)]
    json: bool,
}

/// The maximum number of series that are printed: a screen or two.
const MOST_SERIES: usize = 50;

/// Labels become columns if there are no more than this; more would not fit on a screen.
const MOST_COLUMNS: usize = 5;

/// The values of a sparkline, one for each of its characters.
const POINTS: u32 = 60;

/// The shortest step that is chosen for the user: the metrics are scraped no more often.
const SHORTEST_STEP: Duration = Duration::from_secs(1);

fn time(text: &str) -> Result<f64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds).ok_or_else(|| "expected a time".to_owned());
    }
    let time = humantime::parse_rfc3339(text).map_err(|_| {
        "expected RFC 3339, as 2026-01-02T03:04:05Z, or seconds since 1970".to_owned()
    })?;
    Ok(since_epoch(time))
}

fn since_epoch(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The result of a query.
#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Found {
    Scalar(Point),
    String(Point),
    Vector(Vec<One>),
    Matrix(Vec<Many>),
}

/// A time in seconds, and a value.
#[derive(Clone, Deserialize)]
struct Point(f64, String);

impl Point {
    fn value(&self) -> f64 {
        self.1.parse().unwrap_or(f64::NAN)
    }
}

#[derive(Deserialize)]
struct One {
    metric: Labels,
    value: Point,
}

#[derive(Deserialize)]
struct Many {
    metric: Labels,
    values: Vec<Point>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let data = runtime.block_on(ask(options))?;
    if options.json {
        output::json(&data)?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = Found::deserialize(&data).context("the answer is no result of a query")?;
    for line in lines(&found) {
        output::line(printable(&line, output::width()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(options: &Options) -> anyhow::Result<Value> {
    let prometheus = Prometheus::at(options.url.as_deref()).await?;
    let query = ("query", options.query.clone());
    let Some(range) = options.range else {
        let time = options.time.map(|time| ("time", time.to_string()));
        return prometheus.get("query", &[query].into_iter().chain(time).collect::<Vec<_>>()).await;
    };
    let end = match options.time {
        Some(end) => end,
        None => prometheus.now().await?,
    };
    let step = options.step.unwrap_or_else(|| (range / POINTS).max(SHORTEST_STEP));
    let start = end - range.as_secs_f64();
    let period = [("start", start), ("end", end), ("step", step.as_secs_f64())];
    let period = period.map(|(name, value)| (name, value.to_string()));
    prometheus.get("query_range", &[query].into_iter().chain(period).collect::<Vec<_>>()).await
}

fn lines(found: &Found) -> Vec<String> {
    let (mut lines, count) = match found {
        Found::Scalar(point) | Found::String(point) => return vec![point.1.clone()],
        Found::Vector(all) => (table(all), all.len()),
        Found::Matrix(all) => (sparklines(all), all.len()),
    };
    if count == 0 {
        return vec!["no series".to_owned()];
    }
    if count > MOST_SERIES {
        lines.push(format!("… and {} more series; --json prints all", count - MOST_SERIES));
    }
    lines
}

/// A row for each series: its labels as columns if they are few, and its value.
fn table(all: &[One]) -> Vec<String> {
    let names: BTreeSet<_> = all.iter().flat_map(|one| one.metric.keys()).collect();
    let shown = all.iter().take(MOST_SERIES);
    if names.len() > MOST_COLUMNS {
        let mut table = output::Table::new(&["series", "value"]);
        shown.for_each(|one| table.row([series(&one.metric), number(one.value.value())]));
        return table.lines();
    }
    let columns = names.iter().map(|name| if *name == NAME { "metric" } else { name.as_str() });
    let header: Vec<_> = columns.chain(["value"]).collect();
    let mut table = output::Table::new(&header);
    for one in shown {
        let cells = names.iter().map(|name| one.metric.get(*name).cloned().unwrap_or_default());
        table.row(cells.chain([number(one.value.value())]));
    }
    table.lines()
}

/// A sparkline for each series, with its lowest, highest and last value.
fn sparklines(all: &[Many]) -> Vec<String> {
    let times = || all.iter().flat_map(|one| &one.values).map(|point| point.0);
    let (from, to) = times().fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), time| {
        (from.min(time), to.max(time))
    });
    let steps = all.iter().flat_map(|one| one.values.windows(2)).map(|two| two[1].0 - two[0].0);
    let step = steps.fold(f64::INFINITY, f64::min);
    let mut table = output::Table::new(&["series", "", "min", "max", "last"]);
    for one in all.iter().take(MOST_SERIES) {
        let points: Vec<_> = one.values.iter().map(|point| (point.0, point.value())).collect();
        let values = points.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
        let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), one| {
            (min.min(one), max.max(one))
        });
        let last = points.last().map_or(f64::NAN, |(_, value)| *value);
        let line = sparkline(&points, from, to, step, POINTS as usize);
        let is_known = min <= max;
        let or_nan = |value: f64| number(if is_known { value } else { f64::NAN });
        table.row([series(&one.metric), line, or_nan(min), or_nan(max), number(last)]);
    }
    table.lines()
}

/// A number for people: whole numbers whole, others with six significant digits.
fn number(value: f64) -> String {
    if !value.is_finite() || value == 0.0 || (value.fract() == 0.0 && value.abs() < 1e15) {
        return match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            _ => value.to_string(),
        };
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = (5.0 - magnitude).clamp(0.0, 10.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(data: &Value) -> Vec<String> {
        lines(&Found::deserialize(data).unwrap())
    }

    #[test]
    fn a_vector_is_a_table_with_a_column_for_each_label() {
        let data = json!({ "resultType": "vector", "result": [
            { "metric": { "__name__": "up", "job": "orders" }, "value": [1.5, "1"] },
            { "metric": { "__name__": "up", "job": "lens", "le": "+Inf" }, "value": [1.5, "0.30000000000000004"] },
        ]});
        assert_eq!(
            shown(&data),
            ["metric  job     le    value", "up      orders        1", "up      lens    +Inf  0.3"]
        );
        let labels: Labels =
            (0..6).map(|one| (format!("l{one}"), "v\u{1b}[2J\n".to_owned())).collect();
        let many = json!({ "resultType": "vector", "result": [{ "metric": labels, "value": [1, "NaN"] }] });
        let [header, row] = shown(&many).try_into().unwrap();
        assert!(
            header.starts_with("series") && row.starts_with(r#"{l0="v\u{1b}[2J\n",l1="#),
            "{row}"
        );
        assert!(row.ends_with("NaN"), "{row}");
    }

    #[test]
    fn a_range_is_a_line_for_each_series() {
        let values: Vec<_> = (0..60).map(|step| json!([step, step.to_string()])).collect();
        let data = json!({ "resultType": "matrix", "result": [{ "metric": { "job": "a" }, "values": values }] });
        let [header, row] = shown(&data).try_into().unwrap();
        assert!(header.ends_with("min  max  last"), "{header}");
        assert!(row.starts_with(r#"{job="a"}  ▁"#) && row.ends_with("█  0    59   59"), "{row}");
    }

    #[test]
    fn a_result_without_series_says_so_and_a_long_one_is_cut() {
        assert_eq!(shown(&json!({ "resultType": "vector", "result": [] })), ["no series"]);
        let one = json!({ "metric": { "a": "b" }, "value": [1, "2"] });
        let data = json!({ "resultType": "vector", "result": vec![one; 53] });
        let lines = shown(&data);
        assert_eq!(lines.len(), 1 + MOST_SERIES + 1);
        assert_eq!(lines.last().unwrap(), "… and 3 more series; --json prints all");
        assert_eq!(shown(&json!({ "resultType": "scalar", "result": [1, "2.5"] })), ["2.5"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1_234_567.0, "1234567"),
            (1_234_567.891, "1234568"),
            (0.012_345_678, "0.0123457"),
            (99.999_999, "100"),
            (1e-9, "1.00000e-9"),
            (1e20, "1.00000e20"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(time("2026-01-02T03:04:05Z"), Ok(1_767_323_045.0));
        assert_eq!(time("1.5"), Ok(1.5));
        assert!(time("yesterday").unwrap_err().contains("RFC 3339") && time("NaN").is_err());
    }
}
