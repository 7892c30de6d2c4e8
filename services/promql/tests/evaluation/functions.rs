//! Functions, as the evaluation calls them.

use crate::Series;

#[test]
fn a_counter_that_restarts_is_no_negative_rate() {
    let series = Series::new("requests{code=\"200\"} 0 60 120 0 60 120");
    assert_eq!(series.at(5, "increase(requests[4m])"), [r#"{code="200"} 160"#]);
    assert_eq!(series.at(5, "rate(requests[4m]) * 60"), [r#"{code="200"} 40"#]);
    assert_eq!(series.at(3, "resets(requests[4m])"), [r#"{code="200"} 1"#]);
}

#[test]
fn functions_of_a_range_drop_the_name_unless_they_select_a_sample() {
    let series = Series::new("x{n=\"1\"} 1 2 3");
    assert_eq!(series.at(2, "max_over_time(x[2m])"), [r#"{n="1"} 3"#]);
    assert_eq!(series.at(2, "last_over_time(x[2m])"), [r#"x{n="1"} 3"#]);
    assert_eq!(series.at(2, "first_over_time(x[2m])"), [r#"x{n="1"} 2"#]);
    assert_eq!(
        Series::new("a 1 2\nb 1 2").error(1, "rate({__name__=~\"a|b\"}[5m])"),
        "vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn scalar_arguments_are_those_of_the_step() {
    let series = Series::new("x 0 10 20\nq 0 0.5 1");
    assert_eq!(series.until(2, "quantile_over_time(scalar(q), x[5m])"), ["{} 0:0 1:5 2:20"]);
    assert_eq!(series.until(2, "clamp(x, 5, scalar(q) * 30)"), ["{} 1:10 2:20"], "5 > 0 at first");
    assert_eq!(series.until(2, "round(x + 3, 5 + scalar(q) * 0)"), ["{} 0:5 1:15 2:25"]);
    assert_eq!(series.at(2, "predict_linear(x[5m], 60)"), ["{} 30"]);
}

#[test]
fn what_is_absent_has_the_labels_that_were_demanded() {
    let series = Series::new("up{job=\"a\"} 1 stale 1");
    assert_eq!(
        series.until(2, r#"absent(up{job="a",zone=~".+",x="1",x="2"})"#),
        [r#"{job="a"} 0:1 1:1 2:1"#]
    );
    assert_eq!(series.until(2, r#"absent(up{job="a"})"#), [r#"{job="a"} 1:1"#]);
    assert_eq!(series.until(2, "absent(sum(up))"), ["{} 1:1"]);
    assert_eq!(series.at(0, "absent(up)"), [""; 0]);
    assert_eq!(series.at(9, r#"absent_over_time(up{job="a"}[3m])"#), [r#"{job="a"} 1"#]);
    assert_eq!(series.at(4, r#"absent_over_time(up{job="a"}[3m])"#), [""; 0]);
}

#[test]
fn a_scalar_needs_exactly_one_series() {
    let series = Series::new("x{n=\"1\"} 7 7\nx{n=\"2\"} stale 1");
    assert_eq!(series.until(1, "scalar(x)"), ["{} 0:7 1:NaN"]);
    assert_eq!(series.at(0, "scalar(missing)"), ["NaN"]);
    assert_eq!(series.at(2, "vector(time())"), ["{} 120"]);
}

#[test]
fn sorted_series_are_in_order_with_nan_last() {
    let series = Series::new("x{n=\"1\"} 2\nx{n=\"2\"} NaN\nx{n=\"3\"} 1");
    let order = |query| -> Vec<_> {
        series.in_order(0, query).iter().map(|line| line[5..6].to_owned()).collect()
    };
    assert_eq!(order("sort(x)"), ["3", "1", "2"]);
    assert_eq!(order("sort_desc(x)"), ["1", "3", "2"]);
}

#[test]
fn a_quantile_is_estimated_for_each_histogram() {
    let series = Series::new(
        r#"
        seconds_bucket{route="/a",le="0.1"} 1
        seconds_bucket{route="/a",le="1"} 3
        seconds_bucket{route="/a",le="+Inf"} 4
        seconds_bucket{route="/b",le="0.1"} 4
        seconds_bucket{route="/b",le="+Inf"} 4
        seconds_bucket{route="/c"} 4
        "#,
    );
    assert_eq!(
        series.at(0, "histogram_quantile(0.5, seconds_bucket)"),
        [r#"{route="/a"} 0.55"#, r#"{route="/b"} 0.05"#]
    );
    assert_eq!(series.at(0, "histogram_quantile(0.75, sum by (le) (seconds_bucket))"), ["{} 1"]);
    assert_eq!(
        series.at(0, "histogram_fraction(0, 0.1, seconds_bucket)"),
        [r#"{route="/a"} 0.25"#, r#"{route="/b"} 1"#]
    );
}

#[test]
fn labels_can_be_rewritten() {
    let series = Series::new("up{instance=\"orders:9090\"} 1");
    assert_eq!(
        series.at(0, r#"label_replace(up, "service", "$1", "instance", "(.*):.*")"#),
        [r#"up{instance="orders:9090", service="orders"} 1"#]
    );
    assert_eq!(
        series.at(0, r#"label_join(up, "all", "/", "instance", "job")"#),
        [r#"up{all="orders:9090/", instance="orders:9090"} 1"#]
    );
    let two = Series::new("up{n=\"1\"} 1\nup{n=\"2\"} 1");
    assert_eq!(
        two.error(0, r#"label_replace(up, "n", "", "", "")"#),
        "vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn dates_are_those_of_the_step_or_of_the_values() {
    let series = Series::new("x 86400");
    assert_eq!(series.at(1, "minute()"), ["{} 1"]);
    assert_eq!(series.at(0, "day_of_month(x)"), ["{} 2"]);
    assert_eq!(series.at(0, "pi() > bool 3"), ["1"]);
}
