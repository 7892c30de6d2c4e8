//! The same samples in Prometheus and in memory, and the same queries to both.

use promql::{Error, Labels, Options, Query, Range, STALE, Sample, Value};

use crate::{
    answers::{Answer, Refusal, Report},
    data::{self, Data, LENGTH_MS, START_MS},
    expressions::{Grammar, refused},
    prometheus::Prometheus,
    questions,
    random::Random,
};

/// The steps of the compared ranges; the first is no multiple of the scrape interval, the last is longer than a sample counts.
const STEPS_MS: [i64; 4] = [17_000, 30_000, 60_000, 400_000];

/// Answers an instant query from memory.
fn instant(data: &dyn promql::Storage, query: &str, at_ms: i64) -> Answer {
    Query::parse(query)
        .and_then(|query| query.instant(data, at_ms, &Options::default()))
        .map_err(refusal)
}

/// An error as Prometheus' API classifies it.
fn refusal(error: Error) -> Refusal {
    let kind = match error {
        Error::Parse(_) | Error::Unsupported(_) => "bad_data",
        Error::Execution(_) | Error::Limit(_) => "execution",
        Error::Timeout => "timeout",
    };
    Refusal { kind: kind.to_owned(), text: error.to_string() }
}

/// Answers a range query from memory.
fn range(data: &dyn promql::Storage, query: &str, range: Range) -> Answer {
    Query::parse(query)
        .and_then(|query| query.range(data, range, &Options::default()))
        .map(Value::Matrix)
        .map_err(refusal)
}

/// Both engines with the same samples.
struct Engines {
    theirs: Prometheus,
    ours: promql::Memory,
}

impl Engines {
    async fn start(data: &Data) -> Self {
        let theirs = Prometheus::start().await;
        theirs.write(data).await;
        Self { theirs, ours: data::memory(data) }
    }

    async fn compare_instant(&self, report: &mut Report, query: &str, at_ms: i64) {
        let theirs = self.theirs.instant(query, at_ms).await;
        let case = format!("at {at_ms}: {}", one_line(query));
        report.compare(&case, &theirs, &instant(&self.ours, query, at_ms));
    }

    async fn compare_range(&self, report: &mut Report, query: &str, span: Range) {
        let theirs = self.theirs.range(query, span).await;
        let Range { start_ms, end_ms, step_ms } = span;
        let case = format!("from {start_ms} to {end_ms} step {step_ms}: {}", one_line(query));
        report.compare(&case, &theirs, &range(&self.ours, query, span));
    }
}

fn one_line(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Mostly with samples: from a minute before the first one to five minutes after the last one.
fn moment(random: &mut Random) -> i64 {
    START_MS - 60_000 + random.below(LENGTH_MS as usize + 360_000) as i64
}

fn span(random: &mut Random) -> Range {
    let (start_ms, step_ms) = (moment(random), random.of(&STEPS_MS));
    Range { start_ms, end_ms: start_ms + step_ms * random.below(24) as i64, step_ms }
}

/// A case of a report, to repeat it: `PROMQL_CASE='at 1700000500000: up'`.
#[expect(clippy::disallowed_methods, reason = "which case to repeat is no setting of the mesh")]
fn wanted() -> Option<String> {
    std::env::var("PROMQL_CASE").ok()
}

/// Where the random numbers begin; another number finds other expressions.
#[expect(clippy::disallowed_methods, reason = "which cases to try is no setting of the mesh")]
fn seed() -> u64 {
    std::env::var("PROMQL_SEED").map_or(0, |seed| seed.parse().unwrap())
}

async fn repeat(engines: &Engines, case: &str) {
    let mut report = Report::default();
    let (time, query) = case.split_once(": ").expect("a case");
    let numbers: Vec<i64> = time.split(' ').filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [at_ms] => {
            println!("theirs: {:?}", engines.theirs.instant(query, at_ms).await);
            println!("ours: {:?}", instant(&engines.ours, query, at_ms));
            engines.compare_instant(&mut report, query, at_ms).await;
        }
        [start_ms, end_ms, step_ms] => {
            let span = Range { start_ms, end_ms, step_ms };
            println!("theirs: {:?}", engines.theirs.range(query, span).await);
            println!("ours: {:?}", range(&engines.ours, query, span));
            engines.compare_range(&mut report, query, span).await;
        }
        _ => panic!("a case begins with `at MS` or `from MS to MS step MS`: {case}"),
    }
    report.print("one case");
}

#[tokio::test]
#[ignore = "needs Prometheus; the lane sets PROMETHEUS_BIN"]
async fn generated_expressions_have_prometheus_results() {
    const EXPRESSIONS: usize = 1200;
    let engines = Engines::start(&data::generated()).await;
    if let Some(case) = wanted() {
        return repeat(&engines, &case).await;
    }
    let (mut grammar, mut random) = (Grammar::new(7 + seed()), Random::new(13 + seed()));
    let (mut instants, mut ranges) = (Report::default(), Report::default());
    for _ in 0..EXPRESSIONS {
        let query = grammar.expression();
        engines.compare_instant(&mut instants, &query, moment(&mut random)).await;
        engines.compare_range(&mut ranges, &query, span(&mut random)).await;
    }
    instants.print("generated expressions, one moment");
    ranges.print("generated expressions, a range");
    assert!(instants.with_values > EXPRESSIONS / 3, "too many expressions select nothing");
    assert!(instants.differing.is_empty() && ranges.differing.is_empty());
}

#[tokio::test]
#[ignore = "needs Prometheus; the lane sets PROMETHEUS_BIN"]
async fn what_prometheus_refuses_is_refused() {
    let engines = Engines::start(&data::generated()).await;
    let mut report = Report::default();
    let mut random = Random::new(17 + seed());
    for text in refused(seed(), 400) {
        engines.compare_instant(&mut report, &text, moment(&mut random)).await;
    }
    report.print("texts with a mistake");
    assert!(report.refused > 200, "too few mistakes");
    assert!(report.differing.is_empty());
}

#[tokio::test]
#[ignore = "needs Prometheus; the lane sets PROMETHEUS_BIN"]
async fn dashboards_and_rules_have_prometheus_results() {
    let mut engines = Engines::start(&questions::samples()).await;
    record(&mut engines).await;
    if let Some(case) = wanted() {
        return repeat(&engines, &case).await;
    }
    let (mut instants, mut ranges) = (Report::default(), Report::default());
    let mut random = Random::new(19 + seed());
    for question in questions::questions() {
        let late_ms = START_MS + LENGTH_MS / 2 + random.below(LENGTH_MS as usize / 2) as i64;
        engines.compare_instant(&mut instants, &question, late_ms).await;
        let span = Range { start_ms: late_ms - 600_000, end_ms: late_ms, step_ms: 15_000 };
        engines.compare_range(&mut ranges, &question, span).await;
    }
    instants.print("queries of dashboards and rules, one moment");
    ranges.print("queries of dashboards and rules, a range");
    assert!(instants.differing.is_empty() && ranges.differing.is_empty());
}

/// Gives both engines what Prometheus finds for the recording rules; some rules read what others record.
async fn record(engines: &mut Engines) {
    let span = Range { start_ms: START_MS, end_ms: START_MS + LENGTH_MS, step_ms: 15_000 };
    for rule in questions::rules() {
        let Some(record) = rule.record else { continue };
        let answer = engines.theirs.range(&rule.query, span).await;
        let Ok(Value::Matrix(series)) = answer else { panic!("{record}: {answer:?}") };
        let mut recorded = Data::new();
        for mut one in series {
            let own = rule.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let own = own.chain([("__name__", record.as_str())]);
            let own = own.map(|(name, value)| (name.into(), value.into()));
            let labels = Labels::new(one.labels.iter().cloned().chain(own));
            let end = one.samples.last().unwrap().at_ms + span.step_ms;
            if end < span.end_ms {
                one.samples.push(Sample { at_ms: end, value: STALE });
            }
            recorded.insert(labels, one.samples);
        }
        engines.theirs.write(&recorded).await;
        for (labels, samples) in &recorded {
            samples.iter().for_each(|sample| engines.ours.append(labels, *sample));
        }
    }
}
