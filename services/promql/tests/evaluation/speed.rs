//! How long queries take. It asserts nothing about time; run it with
//! `cargo test --release -p promql --test evaluation -- --ignored --nocapture`.
#![expect(clippy::disallowed_types, reason = "measures real time")]

use std::time::{Duration, Instant};

use promql::{Labels, Memory, Options, Query, Range, Sample};

/// Half an hour of 500 counters, scraped every two seconds.
fn half_an_hour() -> Memory {
    let mut memory = Memory::default();
    for series in 0..500 {
        let [instance, le] = [series / 10, series % 10].map(|n| n.to_string());
        let labels = Labels::from([
            ("__name__", "request_duration_seconds_bucket"),
            ("http_request_method", "GET"),
            ("http_route", "/api/orders"),
            ("instance", instance.as_str()),
            ("job", "gateway"),
            ("le", if le == "9" { "+Inf" } else { le.as_str() }),
        ]);
        for scrape in 0..900 {
            let value = f64::from(scrape * (series % 10 + 1));
            memory.append(&labels, Sample { at_ms: i64::from(scrape) * 2_000, value });
        }
    }
    memory
}

#[test]
#[ignore = "measures"]
fn ranges_of_half_an_hour() {
    let memory = half_an_hour();
    let range = Range { start_ms: 0, end_ms: 1_785_000, step_ms: 15_000 };
    for text in [
        "request_duration_seconds_bucket",
        "sum by (instance) (rate(request_duration_seconds_bucket[5m]))",
        "sum by (le) (increase(request_duration_seconds_bucket[30m]))",
        "histogram_quantile(0.99, sum by (le, instance) (rate(request_duration_seconds_bucket[5m])))",
        "sum by (instance) (max_over_time(request_duration_seconds_bucket[5m]))",
        "rate(request_duration_seconds_bucket[1m]) / on (instance, le) rate(request_duration_seconds_bucket[5m])",
        "request_duration_seconds_bucket / on (instance) group_left request_duration_seconds_bucket{le=\"+Inf\"}",
        "topk(5, request_duration_seconds_bucket)",
        "max_over_time(rate(request_duration_seconds_bucket[1m])[10m:15s])",
        "quantile_over_time(0.9, request_duration_seconds_bucket[1m])",
    ] {
        let query = Query::parse(text).unwrap();
        let run = || {
            let started = Instant::now();
            let series = query.range(&memory, range, &Options::default()).unwrap();
            assert!(!series.is_empty(), "{text}");
            started.elapsed()
        };
        let fastest = (0..10).map(|_| run()).min().unwrap_or(Duration::ZERO);
        println!("{:>8.2} ms  {text}", fastest.as_secs_f64() * 1e3);
    }
}

#[test]
#[ignore = "measures"]
fn parsing() {
    for text in [
        "up",
        "rate(request_duration_seconds_bucket[5m])",
        r#"up{job="gateway"}"#,
        r#"up{job=~"gateway|orders"}"#,
        r#"up{job=~".+"}"#,
        r#"up{job=~"\\w+"}"#,
        r#"histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket{job="gateway",http_route!=""}[5m])))"#,
    ] {
        let started = Instant::now();
        for _ in 0..100 {
            Query::parse(text).unwrap();
        }
        println!("{:>8.3} ms  {text}", started.elapsed().as_secs_f64() * 10.0);
    }
}
