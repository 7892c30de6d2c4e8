//! How long queries over a full store take. It asserts nothing about time; run it with
//! `cargo test --release -p timeseries --test speed -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::disallowed_types, reason = "measures real time")]

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use promql::{Labels, Options, Query, Range};
use timeseries::Store;

/// What a target answers: thirty histograms of fifteen buckets, whose counters change every ten seconds.
fn answer(scrape: u32) -> String {
    let mut text = "# TYPE duration_seconds histogram\n".to_owned();
    for route in 0..30 {
        for bucket in 1..=15 {
            let le = if bucket == 15 { "+Inf".to_owned() } else { format!("0.{bucket:02}") };
            let count = scrape / 5 * bucket + route;
            writeln!(
                text,
                "duration_seconds_bucket{{http_route=\"/{route}\",le=\"{le}\"}} {count}"
            )
            .unwrap();
        }
    }
    text
}

/// Half an hour of ten targets, scraped every two seconds.
fn half_an_hour() -> Store {
    let store = Store::new(timeseries::Options::default());
    for scrape in 0..900 {
        let text = answer(scrape);
        for target in 0..10 {
            let instance = format!("service-{target}:9090");
            let labels = Labels::from([("job", "mesh"), ("instance", instance.as_str())]);
            let at_ms = i64::from(scrape) * 2_000;
            store.scrape(&labels, at_ms, Duration::from_millis(3), &text).unwrap();
        }
    }
    store
}

#[test]
#[ignore = "measures"]
fn queries_of_half_an_hour() {
    let store = half_an_hour();
    println!("{:?}", store.usage());
    let range = Range { start_ms: 0, end_ms: 1_785_000, step_ms: 15_000 };
    let options = Options::default();
    for text in [
        "histogram_quantile(0.99, sum by (le, instance) (rate(duration_seconds_bucket[5m])))",
        "histogram_quantile(0.99, sum by (le) (rate(duration_seconds_bucket{instance=\"service-1:9090\"}[1m])))",
        "sum by (instance) (rate(duration_seconds_bucket{le=\"+Inf\"}[5m]))",
        "sum(duration_seconds_bucket)",
    ] {
        let query = Query::parse(text).unwrap();
        let fastest = |run: &dyn Fn()| {
            let took = (0..5).map(|_| {
                let started = Instant::now();
                run();
                started.elapsed().as_secs_f64() * 1e3
            });
            took.fold(f64::INFINITY, f64::min)
        };
        let ranges =
            fastest(&|| assert!(!query.range(&store, range, &options).unwrap().is_empty()));
        let moments = fastest(&|| drop(query.instant(&store, range.end_ms, &options).unwrap()));
        println!("range {ranges:>6.2} ms  moment {moments:>6.2} ms  {text}");
    }
}
