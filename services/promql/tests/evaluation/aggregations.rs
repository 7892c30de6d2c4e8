//! Aggregations.

use crate::Series;

fn requests() -> Series {
    Series::new(
        r#"
        requests{route="/a",code="200"} 1 10
        requests{route="/a",code="500"} 2 20
        requests{route="/b",code="200"} 3 _ stale
        "#,
    )
}

#[test]
fn groups_are_formed_by_the_labels_that_are_named_or_by_the_others() {
    let series = requests();
    let by = [r#"{route="/a"} 3"#, r#"{route="/b"} 3"#];
    assert_eq!(series.at(0, "sum by (route) (requests)"), by);
    assert_eq!(series.at(0, "sum without (code) (requests)"), by);
    assert_eq!(series.at(0, "sum(requests)"), ["{} 6"]);
    assert_eq!(series.at(0, "sum by (none) (requests)"), ["{} 6"]);
    assert_eq!(
        series.at(0, "max by (__name__, code) (requests)"),
        [r#"requests{code="200"} 3"#, r#"requests{code="500"} 2"#]
    );
}

#[test]
fn each_aggregation_has_its_own_result() {
    let series = requests();
    for (query, result) in [
        ("avg(requests)", "2"),
        ("min(requests)", "1"),
        ("max(requests)", "3"),
        ("count(requests)", "3"),
        ("group(requests)", "1"),
        ("stdvar(requests)", "0.6666666666666666"),
        ("stddev(requests)", "0.816496580927726"),
        ("quantile(0.75, requests)", "2.5"),
    ] {
        assert_eq!(series.at(0, query), [format!("{{}} {result}")], "{query}");
    }
}

#[test]
fn a_group_has_a_value_only_while_one_of_its_series_has() {
    let series = requests();
    assert_eq!(
        series.until(2, "count by (route) (requests)"),
        [r#"{route="/a"} 0:2 1:2 2:2"#, r#"{route="/b"} 0:1 1:1"#]
    );
}

#[test]
fn a_sum_keeps_small_values_beside_great_ones() {
    let series = Series::new("x{n=\"1\"} 1e100\nx{n=\"2\"} 1\nx{n=\"3\"} -1e100");
    assert_eq!(series.at(0, "sum(x)"), ["{} 1"]);
    assert_eq!(series.at(0, "avg(x)"), ["{} 0.3333333333333333"]);
}

#[test]
fn nan_is_the_extreme_only_of_nothing_else() {
    let series = Series::new("x{n=\"1\"} NaN\nx{n=\"2\"} 1");
    assert_eq!(series.at(0, "max(x)"), ["{} 1"]);
    assert_eq!(series.at(0, "min(x)"), ["{} 1"]);
    assert_eq!(series.at(0, "max(x{n=\"1\"})"), ["{} NaN"]);
    assert_eq!(series.at(0, "stddev(x{n=\"1\"})"), ["{} NaN"]);
}

#[test]
fn the_greatest_series_come_first_and_keep_their_labels() {
    let series = requests();
    assert_eq!(
        series.in_order(0, "topk(2, requests)"),
        [r#"requests{code="200", route="/b"} 3"#, r#"requests{code="500", route="/a"} 2"#]
    );
    assert_eq!(
        series.in_order(0, "bottomk by (route) (1, requests)"),
        [r#"requests{code="200", route="/a"} 1"#, r#"requests{code="200", route="/b"} 3"#]
    );
    assert_eq!(series.in_order(0, "topk(0, requests)"), [""; 0]);
    assert_eq!(series.error(0, "topk(NaN, requests)"), "Parameter value is NaN");
}

#[test]
fn in_a_range_the_greatest_series_are_chosen_at_each_step() {
    let series = Series::new("x{n=\"1\"} 1 5\nx{n=\"2\"} 3 4\nx{n=\"3\"} 0 0");
    assert_eq!(series.until(1, "topk(1, x)"), [r#"x{n="1"} 1:5"#, r#"x{n="2"} 0:3"#]);
    assert_eq!(series.until(1, "sum(topk(scalar(x{n=\"2\"}) - 2, x))"), ["{} 0:3 1:9"]);
}

#[test]
fn values_can_be_counted() {
    let series = Series::new("v{n=\"1\"} 1.5 2\nv{n=\"2\"} 1.5 2\nv{n=\"3\"} 7 2");
    assert_eq!(
        series.at(0, r#"count_values("version", v)"#),
        [r#"{version="1.5"} 2"#, r#"{version="7"} 1"#]
    );
    assert_eq!(
        series.until(1, r#"count_values without (n) ("version", v)"#),
        [r#"{version="1.5"} 0:2"#, r#"{version="2"} 1:3"#, r#"{version="7"} 0:1"#]
    );
    assert_eq!(series.at(1, r#"count_values by (n) ("n", v)"#), [r#"{n="2"} 3"#]);
}
