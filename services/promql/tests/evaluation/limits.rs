//! What is refused, and how.

use std::time::Duration;

use promql::{Error, Options, Query, Range};

use crate::{MINUTE, Series};

#[test]
fn what_is_not_supported_is_named() {
    for (query, name) in [
        ("limitk(1, x)", "limitk"),
        ("limit_ratio(0.5, x)", "limit_ratio"),
        ("histogram_count(x)", "histogram_count"),
        ("mad_over_time(x[5m])", "mad_over_time"),
        ("sort_by_label(x, \"n\")", "sort_by_label"),
        ("info(x)", "info"),
        ("start()", "start"),
        ("rate(x[5m] smoothed)", "smoothed"),
        ("a + fill(0) b", "fill"),
        ("x{a=\"1\" or b=\"2\"}", "or"),
    ] {
        let error = Query::parse(query).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{query}: {error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_is_not_promql_is_an_error_of_the_text() {
    for query in [
        "",
        "x[",
        "x{",
        "sum(",
        "x y",
        "rate(x)",
        "sum(x[5m])",
        "{}",
        "x{a=~\"(\"}",
        "1 and 2",
        "ln(0)",
        "x[0]",
        "x[1e300]",
        "x offset 1e300",
        "x offset -1e300",
        "x offset NaN",
        "x offset Inf",
        "x[5m:1e300]",
        "x[99999999999y]",
        "x @ 1e300",
        "x + on (a) 1",
        "abs()",
        "abs(x, 1)",
        "unknown(x)",
        "\"",
        "'\\x'",
        "x[0.0001]",
        "x @ NaN",
        "topk(x, x)",
        "label_replace(x, x, \"\", \"\", \"\")",
    ] {
        let error = Query::parse(query).expect_err(query);
        assert!(matches!(error, Error::Parse(_)), "{query}: {error:?}");
    }
}

#[test]
fn an_error_of_the_text_shows_the_text() {
    let error = |text: &str| Query::parse(text).unwrap_err().to_string();
    assert_eq!(error("x y"), "not a PromQL expression: x y");
    assert_eq!(error("sum(x"), "unclosed left parenthesis");
    assert!(error(&"x ".repeat(500)).ends_with("x …"));
    assert_eq!(error("rate(x)"), "expected type matrix in call to function 'rate', got vector");
}

/// The stack of a thread of the runtime.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_deep_query_is_refused_and_does_not_overflow_the_stack() {
    on_a_small_stack(|| {
        for (open, inside, close) in [
            ("(", "x", ")"),
            ("-", "x", ""),
            ("+", "x", ""),
            ("sum(", "x", ")"),
            ("abs(", "x", ")"),
            ("1+", "1", ""),
            ("1^", "1", ""),
            ("1+(", "1", ")"),
            ("x or ", "x", ""),
            ("sum(sum_over_time(", "x", "[5m:1m]))"),
            ("topk(scalar(", "x", "), x)"),
            ("", "x", "[5m:1m]"),
            ("[", "", ""),
            ("{", "", ""),
            ("(", "", ""),
            ("sum by (", "", ""),
            ("\"", "", ""),
        ] {
            for depth in [10, 90, 100, 150, 200, 300, 390, 400, 1_000, 10_000] {
                let text = [&open.repeat(depth), inside, &close.repeat(depth)].concat();
                if let Ok(query) = Query::parse(&text) {
                    let series = Series::new("x 1");
                    let result = query.clone().instant(&series.0, 0, &Options::default());
                    assert!(!matches!(result, Err(Error::Parse(_) | Error::Timeout)), "{open}");
                    // The parser leaves out a sign that changes nothing.
                    assert!(depth <= 100 || open == "+" && depth <= 400, "{open} × {depth}");
                }
            }
        }
    });
}

#[test]
fn a_query_of_ordinary_depth_is_evaluated() {
    let series = Series::new("x 1");
    assert_eq!(series.at(0, &["1"; 90].join("+")), ["90"]);
    assert_eq!(series.at(0, &format!("{}x{}", "(".repeat(90), ")".repeat(90))), ["x 1"]);
    let error = series.error(0, &["1"; 150].join("+"));
    assert_eq!(
        error,
        "the query is nested more than 100 levels deep: split it, for example by recording rules"
    );
    let error = series.error(0, &format!("x{{a=\"{}\"}}", "y".repeat(20_000)));
    assert!(error.starts_with("the query has 20007 bytes, 16384 are allowed"), "{error}");
}

#[test]
fn a_range_has_a_greatest_number_of_steps() {
    let series = Series::new("x 1");
    let range = |end_ms, step_ms| {
        let range = Range { start_ms: 0, end_ms, step_ms };
        Query::parse("x").unwrap().range(&series.0, range, &Options::default())
    };
    assert!(range(10_999, 1).is_ok());
    let error = range(11_000, 1).unwrap_err().to_string();
    assert_eq!(
        error,
        "the range has 11001 steps, 11000 are allowed: use a longer step or a shorter range"
    );
    assert_eq!(range(-1, 1).unwrap(), []);
    assert!(matches!(range(1, 0), Err(Error::Limit(_))));
    assert!(matches!(range(i64::MAX, 1), Err(Error::Limit(_))));
    assert!(matches!(range(i64::MIN, i64::MAX), Err(Error::Limit(_))));
}

#[test]
fn a_query_that_needs_too_many_samples_is_refused() {
    let lines: String = (0..10).map(|n| format!("x{{n=\"{n}\"}} 0+1x10\n")).collect();
    let series = Series::new(&lines);
    let options = Options { max_samples: 100, ..Options::default() };
    let run = |query: &str| {
        let range = Range { start_ms: 0, end_ms: 10 * MINUTE, step_ms: MINUTE };
        Query::parse(query).unwrap().range(&series.0, range, &options)
    };
    assert!(matches!(run("x"), Err(Error::Limit(_))), "10 series of 11 steps");
    assert!(matches!(run("rate(x[5m])"), Err(Error::Limit(_))));
    assert!(run("x{n=~\"[0-4]\"}").is_ok());
    assert!(run("sum(x{n=\"1\"}) + sum(x{n=\"2\"}) + sum(x{n=\"3\"}) + sum(x{n=\"4\"}) + sum(x{n=\"5\"})").is_ok());
    let instant = |query: &str| Query::parse(query).unwrap().instant(&series.0, 0, &options);
    assert!(matches!(instant("vector(1)[100y:1ms]"), Err(Error::Limit(_))));
    assert!(matches!(instant("x[100y:1ms]"), Err(Error::Limit(_))));
    assert!(matches!(instant("absent(missing)[1h:1ms]"), Err(Error::Limit(_))));
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let series = Series::new("x 0+1x10");
    let options = Options { deadline: Duration::ZERO, ..Options::default() };
    let query = Query::parse("sum_over_time(x[10m])").unwrap();
    assert_eq!(query.instant(&series.0, 0, &options), Err(Error::Timeout));
}

#[test]
fn extreme_moments_are_refused_or_empty() {
    let series = Series::new("x 1");
    for at_ms in [i64::MIN, i64::MAX] {
        let query = Query::parse("rate(x[1y] offset 1y)").unwrap();
        assert!(matches!(
            query.instant(&series.0, at_ms, &Options::default()),
            Err(Error::Limit(_))
        ));
    }
    assert_eq!(series.at(0, "x offset 100000y"), [""; 0]);
    assert_eq!(series.at(0, "x @ 8640000000000"), [""; 0]);
    assert_eq!(series.at(0, "x @ -8640000000000"), [""; 0]);
}

#[test]
fn patterns_that_need_much_memory_are_refused() {
    let error = |text: &str| Query::parse(text).unwrap_err().to_string();
    let text = error("x{a=~\"\\\\w{900}\"}");
    assert!(text.starts_with("the pattern \\w{900} needs more than"), "{text}");
    let text = error("label_replace(x, \"a\", \"\", \"b\", \"(\\\\w{30}){30}\")");
    assert_eq!(text, "invalid regular expression in label_replace(): (\\w{30}){30}");
    let text = error("x{a!~\"{x}\\\\w{900}\"}");
    assert!(text.starts_with("the pattern {x}\\w{900} needs more than"), "{text}");
    let many = |count: usize| format!("x{{{}}}", vec!["a=~\"b.*\""; count].join(","));
    assert!(Query::parse(&many(64)).is_ok());
    assert!(error(&many(65)).starts_with("the query has 65 patterns, 64 are allowed"));
    let names: Vec<_> = (0..300).map(|n| format!("/api/v1/route-{n}/.+")).collect();
    assert!(Query::parse(&format!("x{{a=~\"{}\"}}", names.join("|"))).is_ok());
}
