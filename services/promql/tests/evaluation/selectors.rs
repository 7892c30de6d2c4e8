//! Which samples a selector sees.

use crate::Series;

#[test]
fn a_sample_counts_for_less_than_five_minutes() {
    let series = Series::new("up 1 2 3");
    assert_eq!(series.until(7, "up"), ["up 0:1 1:2 2:3 3:3 4:3 5:3 6:3"]);
}

#[test]
fn a_series_that_has_ended_has_no_value() {
    let series = Series::new("up 1 stale _ 2");
    assert_eq!(series.until(4, "up"), ["up 0:1 3:2 4:2"]);
}

#[test]
fn conditions_on_labels_are_combined() {
    let series = Series::new(
        r#"
        up{job="orders",zone="a"} 1
        up{job="payments",zone="a"} 1
        up{job="payments"} 1
        down{job="payments"} 1
        "#,
    );
    let payments = [r#"up{job="payments", zone="a"} 1"#, r#"up{job="payments"} 1"#];
    assert_eq!(series.at(0, r#"up{job!="orders"}"#), payments);
    assert_eq!(series.at(0, r#"up{job=~"pay.*"}"#), payments);
    assert_eq!(series.at(0, r#"up{job=~"pay"}"#), [""; 0], "a pattern matches the whole value");
    assert_eq!(series.at(0, r#"up{zone="",job!~"orders"}"#), payments[1..]);
    assert_eq!(series.at(0, r#"{__name__=~"u.|down",zone=""}"#).len(), 2);
}

#[test]
fn an_offset_of_zero_moves_nothing() {
    let series = Series::new("x 1+1x5");
    for text in
        ["x offset 0s", "x{} offset -0s", "x offset 0", "x offset 0h0m @ 300", "sum(x offset 0d)"]
    {
        let moved = series.at(5, text);
        assert_eq!(moved.len(), 1, "{text}");
        assert!(moved[0].ends_with('6'), "{text}: {moved:?}");
    }
    assert_eq!(series.at(5, "count_over_time(x[2m] offset 0s)"), ["{} 2"]);
    assert!(promql::Query::parse("(x + x) offset 0s").is_err());
}

#[test]
fn an_offset_looks_back_and_a_negative_one_ahead() {
    let series = Series::new("x 0+1x10");
    assert_eq!(series.at(5, "x offset 2m"), ["x 3"]);
    assert_eq!(series.at(5, "x offset -2m"), ["x 7"]);
    assert_eq!(series.until(2, "x offset 1m"), ["x 1:0 2:1"]);
}

#[test]
fn a_fixed_moment_does_not_follow_the_steps() {
    let series = Series::new("x 0+1x10");
    assert_eq!(series.until(2, "x @ 300"), ["x 0:5 1:5 2:5"]);
    assert_eq!(series.until(2, "x @ end()"), ["x 0:2 1:2 2:2"]);
    assert_eq!(series.until(2, "x @ start()"), ["x 0:0 1:0 2:0"]);
    assert_eq!(series.at(0, "x @ 300 offset 1m"), ["x 4"]);
    assert_eq!(series.at(0, "sum_over_time(x[2m] @ 300)"), ["{} 9"]);
}

#[test]
fn a_range_is_open_on_its_left() {
    let series = Series::new("x 1 2 3 4");
    assert_eq!(series.at(3, "x[2m]"), ["x 2:3 3:4"]);
    assert_eq!(series.at(3, "count_over_time(x[2m])"), ["{} 2"]);
    assert_eq!(series.until(3, "sum_over_time(x[2m])"), ["{} 0:1 1:3 2:5 3:7"]);
}

#[test]
fn the_end_of_a_series_is_no_sample_of_a_range() {
    let series = Series::new("x 1 2 stale 4");
    assert_eq!(series.at(3, "x[10m]"), ["x 0:1 1:2 3:4"]);
    assert_eq!(series.at(3, "count_over_time(x[10m])"), ["{} 3"]);
    assert_eq!(series.at(2, "last_over_time(x[10m])"), ["x 2"]);
}

#[test]
fn a_timestamp_is_that_of_the_sample() {
    let series = Series::new("x 1 2");
    assert_eq!(series.at(3, "timestamp(x)"), ["{} 60"]);
    assert_eq!(series.at(3, "timestamp((x))"), ["{} 60"]);
    assert_eq!(series.at(3, "timestamp(x + 0)"), ["{} 180"]);
    assert_eq!(series.at(3, "timestamp(x offset -1m @ 0)"), ["{} 0"], "as in Prometheus");
}

#[test]
fn literals_are_their_own_result() {
    let series = Series::new("");
    assert_eq!(series.at(0, "1.5e3"), ["1500"]);
    assert_eq!(series.at(0, "-2 ^ 2"), ["-4"]);
    assert_eq!(series.at(0, "(\"text\")"), ["text"]);
    assert_eq!(series.until(1, "0x10"), ["{} 0:16 1:16"]);
}

#[test]
fn only_values_have_a_range() {
    let series = Series::new("x 1");
    for query in ["x[5m]", "x[5m:1m]", "\"text\""] {
        let error = series.range(1, query).unwrap_err().to_string();
        assert!(error.contains("for range query, must be Scalar or instant Vector"), "{error}");
    }
}
