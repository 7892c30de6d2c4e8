//! The store as its users use it.

mod hostile;
mod measured;
mod snapshots;

use std::time::Duration;

use promql::{Append, Labels, STALE, Sample, Select, Storage, is_stale};
use promql_parser::{
    label::Matchers,
    parser::{Expr, parse},
};

use crate::{ExemplarSeries, Options, Refused, ScrapeError, Scraped, Store};

const TOOK: Duration = Duration::from_millis(5);

fn store() -> Store {
    Store::new(Options::default())
}

fn target(name: &str) -> Labels {
    let instance = format!("{name}:8081");
    Labels::from([("job", name), ("service", name), ("instance", instance.as_str())])
}

fn matchers(selector: &str) -> Matchers {
    let Ok(Expr::VectorSelector(selector)) = parse(selector) else { panic!("{selector}") };
    let mut matchers = selector.matchers;
    if let Some(name) = selector.name {
        let name = promql_parser::label::Matcher::new(
            promql_parser::label::MatchOp::Equal,
            "__name__",
            &name,
        );
        matchers.matchers.push(name);
    }
    matchers
}

/// The series that a selector finds, each as labels and samples `value@time`, ordered.
fn found(store: &Store, selector: &str, from_ms: i64, to_ms: i64) -> Vec<String> {
    let matchers = matchers(selector);
    let mut found = Vec::new();
    let select = Select { matchers: &matchers, from_ms, to_ms };
    let visit = &mut |labels: &Labels, samples: &[Sample]| {
        let sample = |sample: &Sample| match sample.value {
            value if is_stale(value) => format!("stale@{}", sample.at_ms),
            value => format!("{value}@{}", sample.at_ms),
        };
        let samples: Vec<_> = samples.iter().map(sample).collect();
        found.push(format!("{labels} {}", samples.join(" ")));
        Ok(())
    };
    store.select(&select, visit).unwrap();
    found.sort();
    found
}

fn all(store: &Store, selector: &str) -> Vec<String> {
    found(store, selector, i64::MIN, i64::MAX)
}

#[test]
fn a_scrape_is_stored_with_its_targets_labels_and_a_report() {
    let store = store();
    let text = "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{code=\"200\"} 7\n";
    let scraped = store.scrape(&target("orders"), 1_000, TOOK, text);
    assert_eq!(scraped, Ok(Scraped { samples: 1, added: 1, refused: 0 }));
    let labels = r#"instance="orders:8081", job="orders", service="orders""#;
    assert_eq!(
        all(&store, "{job=\"orders\"}"),
        [
            format!(r#"requests_total{{code="200", {labels}}} 7@1000"#),
            format!("scrape_duration_seconds{{{labels}}} 0.005@1000"),
            format!("scrape_samples_post_metric_relabeling{{{labels}}} 1@1000"),
            format!("scrape_samples_scraped{{{labels}}} 1@1000"),
            format!("scrape_series_added{{{labels}}} 1@1000"),
            format!("up{{{labels}}} 1@1000"),
        ]
    );
    let metadata = &store.metadata()["requests_total"][0];
    assert_eq!((metadata.kind.as_str(), metadata.help.as_str()), ("counter", "Requests."));
    assert_eq!(store.usage().series, 6);
}

#[test]
fn a_series_that_is_missing_in_the_next_answer_ends() {
    let (store, orders) = (store(), Labels::empty());
    store.scrape(&orders, 1_000, TOOK, "a 1\nb 1\n").unwrap();
    store.scrape(&orders, 2_000, TOOK, "b 2\nc 2\n").unwrap();
    store.scrape(&orders, 3_000, TOOK, "b 3\na 3\n").unwrap();
    assert_eq!(
        all(&store, "{__name__=~\"[abc]\"}"),
        ["a 1@1000 stale@2000 3@3000", "b 1@1000 2@2000 3@3000", "c 2@2000 stale@3000"]
    );
}

#[test]
fn a_target_that_does_not_answer_is_down_and_its_series_end() {
    let (store, orders) = (store(), target("orders"));
    store.scrape(&orders, 1_000, TOOK, "a 1\n").unwrap();
    store.scrape_failed(&orders, 2_000, TOOK);
    store.scrape_failed(&orders, 3_000, TOOK);
    store.scrape(&orders, 4_000, TOOK, "a 4\n").unwrap();
    store.end(&orders, 5_000);
    let samples = |name| {
        let series = all(&store, name);
        series[0].split_once("} ").unwrap().1.to_owned()
    };
    assert_eq!(samples("a"), "1@1000 stale@2000 4@4000 stale@5000");
    assert_eq!(samples("up"), "1@1000 0@2000 0@3000 1@4000 stale@5000");
}

#[test]
fn a_malformed_answer_is_a_failed_scrape_that_names_the_line() {
    let (store, orders) = (store(), Labels::empty());
    store.scrape(&orders, 1_000, TOOK, "a 1\n").unwrap();
    let error = store.scrape(&orders, 2_000, TOOK, "a 2\nnew 1\nb{x=1} 3\n").unwrap_err();
    assert_eq!(error.to_string(), "line 3: expected a quoted label value: b{x=1} 3");
    assert_eq!(all(&store, "a"), ["a 1@1000 stale@2000"]);
    assert_eq!(all(&store, "up"), ["up 1@1000 0@2000"]);
    let until = "scrape_samples_scraped 1@1000 2@2000";
    assert_eq!(all(&store, "scrape_samples_scraped"), [until], "the samples before the line");
    assert_eq!(all(&store, "new"), [""; 0]);
    let after_end = store.scrape(&orders, 3_000, TOOK, "a 1\n# EOF\na 2\n# EOF\n");
    assert!(matches!(after_end, Err(ScrapeError::Malformed { line: 2, .. })), "{after_end:?}");
}

#[test]
fn labels_of_the_target_win_and_the_exposed_ones_are_renamed() {
    let store = store();
    let text = "a{job=\"own\",exported_job=\"older\",empty=\"\",z=\"1\"} 1\n";
    store.scrape(&Labels::from([("job", "orders")]), 1_000, TOOK, text).unwrap();
    assert_eq!(
        all(&store, "a"),
        [r#"a{exported_exported_job="own", exported_job="older", job="orders", z="1"} 1@1000"#]
    );
}

#[test]
fn both_formats_give_the_same_buckets() {
    let store = store();
    let text = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n";
    store.scrape(&Labels::empty(), 1_000, TOOK, text).unwrap();
    let text = "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 2\n# EOF\n";
    store.scrape(&Labels::empty(), 2_000, TOOK, text).unwrap();
    assert_eq!(
        all(&store, "h_bucket"),
        [r#"h_bucket{le="+Inf"} 1@1000 2@2000"#, r#"h_bucket{le="1.0"} 1@1000 2@2000"#]
    );
}

#[test]
fn what_is_refused_is_counted() {
    let store = Store::new(Options { series: 2, ..Options::default() });
    let target = Labels::empty();
    let text = "a 1\na 2\nb 3 1700000000000\nc 4\nd 5\n";
    let scraped = store.scrape(&target, 2_000, TOOK, text).unwrap();
    assert_eq!(scraped, Scraped { samples: 5, added: 2, refused: 3 });
    assert_eq!(store.scrape(&target, 2_000, TOOK, text), Err(ScrapeError::Order));
    let refused = store.usage().refused;
    let expected = Refused { limit: 1, duplicate: 1, timestamp: 1, order: 1, ..Refused::default() };
    assert_eq!(refused, expected);
    assert_eq!(store.usage().series, 7);
}

#[test]
fn an_exemplar_is_stored_once() {
    let (store, orders) = (store(), target("orders"));
    let text = |trace: &str, at: u32| {
        format!(
            "# TYPE h histogram\nh_bucket{{le=\"1.0\"}} 5 # {{trace_id=\"{trace}\"}} 0.25 {at}.5\n# EOF\n"
        )
    };
    for (at_ms, trace, at) in [(1, "aa", 1), (2, "aa", 1), (3, "bb", 2), (4, "cc", 1)] {
        store.scrape(&orders, at_ms * 1_000, TOOK, &text(trace, at)).unwrap();
    }
    let matchers = matchers("h_bucket");
    let select = |to_ms| Select { matchers: &matchers, from_ms: 0, to_ms };
    let found = store.exemplars(&select(10_000));
    let [ExemplarSeries { labels, exemplars }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(labels.get("le"), "1.0");
    let traces: Vec<_> =
        exemplars.iter().map(|one| (one.labels.get("trace_id"), one.sample)).collect();
    let sample = |at_ms| Sample { at_ms, value: 0.25 };
    assert_eq!(traces, [("aa", sample(1_500)), ("bb", sample(2_500))]);
    assert_eq!(store.exemplars(&select(2_000))[0].exemplars.len(), 1);
    assert_eq!(store.usage().refused.exemplars, 1, "the last one is older than the one before");
}

#[test]
fn rules_fill_rows_of_their_group() {
    let store = store();
    let labels = |state| Labels::from([("__name__", "ALERTS"), ("alertstate", state)]);
    store.append("slo", 1_000, &[(labels("pending"), 1.0)]);
    store.append("slo", 1_000, &[(labels("firing"), 1.0)]);
    store.append("slo", 2_000, &[(labels("pending"), STALE)]);
    store.append("slo", 1_500, &[(labels("firing"), 9.0)]);
    assert_eq!(
        all(&store, "ALERTS"),
        [
            r#"ALERTS{alertstate="firing"} 1@1000"#,
            r#"ALERTS{alertstate="pending"} 1@1000 stale@2000"#
        ]
    );
    assert_eq!(store.usage().refused.order, 1);
}

#[test]
fn a_series_of_two_groups_is_found_once() {
    let (store, labels) = (store(), Labels::from([("__name__", "r")]));
    store.append("first", 1_000, &[(labels.clone(), 1.0)]);
    store.append("second", 2_000, &[(labels.clone(), 2.0)]);
    store.append("first", 3_000, &[(labels.clone(), 3.0)]);
    store.append("second", 3_000, &[(labels, 4.0)]);
    assert_eq!(all(&store, "r"), ["r 1@1000 2@2000 3@3000"]);
}

/// Rows pass through all kinds of blocks.
#[test]
fn samples_are_found_by_time_wherever_they_are() {
    let (store, target) = (store(), Labels::empty());
    for row in 0..400 {
        let text = format!("even {row}\nodd{{x=\"{}\"}} {}\n", row / 150, f64::from(row) / 3.0);
        store.scrape(&target, i64::from(row) * 1_000, TOOK, &text).unwrap();
    }
    for (from, to) in [(0, 399), (5, 5), (100, 300), (127, 129), (380, 399)] {
        let series = found(&store, "even", from * 1_000, to * 1_000);
        let samples: Vec<_> = (from..=to).map(|row| format!("{row}@{}", row * 1_000)).collect();
        assert_eq!(series, [format!("even {}", samples.join(" "))]);
    }
    let ended = found(&store, "odd{x=\"0\"}", 149_000, 151_000);
    assert_eq!(ended, [format!("odd{{x=\"0\"}} {}@149000 stale@150000", 149.0 / 3.0)]);
}

#[test]
fn old_samples_and_their_series_go() {
    let options = Options { retention: Duration::from_secs(60), ..Options::default() };
    let store = Store::new(options);
    store.scrape(&target("gone"), 0, TOOK, "a 1\n").unwrap();
    for row in 0..300 {
        let text = format!("b{{version=\"{}\"}} {row}\n", row / 100);
        store.scrape(&target("here"), row * 1_000, TOOK, &text).unwrap();
    }
    assert_eq!(store.usage().series, 5 + 1, "only the last version");
    assert_eq!(store.metadata().len(), 0);
    let matchers = Matchers::empty();
    let select = Select { matchers: &matchers, from_ms: 0, to_ms: i64::MAX };
    assert!(store.series(&[select]).iter().all(|labels| labels.get("job") == "here"));
    store.scrape(&target("here"), 3_600_000, TOOK, "").unwrap();
    store.scrape(&target("other"), 3_611_000, TOOK, "").unwrap();
    assert_eq!(store.usage().series, 11, "reports, and a staleness marker");
}

#[test]
fn the_memory_is_bounded() {
    let options = Options { bytes: 400_000, ..Options::default() };
    let store = Store::new(options);
    for row in 0..2_000_u64 {
        let line = |series: u64| {
            format!("m{{series=\"{series}\"}} {}\n", (row * series * 7919) % 1_000_003)
        };
        let text: String = (0..200).map(line).collect();
        store.scrape(&target("orders"), row as i64 * 1_000, TOOK, &text).unwrap();
        assert!(store.usage().bytes <= options.bytes, "{:?}", store.usage());
    }
    let usage = store.usage();
    assert!(usage.evicted > 0 && usage.samples > 20_000 && usage.series == 205, "{usage:?}");

    let many: String = (0..5_000).map(|series| format!("n{{series=\"{series}\"}} 1\n")).collect();
    let scraped = store.scrape(&target("payments"), 3_000_000, TOOK, &many).unwrap();
    assert!(scraped.refused > 1_000 && scraped.added > 100, "{scraped:?}");
    assert!(store.usage().bytes <= options.bytes, "{:?}", store.usage());
    assert_eq!(store.usage().refused.limit, scraped.refused);
}
