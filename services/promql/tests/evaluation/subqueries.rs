//! Subqueries.

use crate::Series;

#[test]
fn a_subquery_evaluates_at_multiples_of_its_step() {
    let series = Series::new("x 0+1x20");
    assert_eq!(series.at(10, "x[4m:2m]"), ["x 8:8 10:10"]);
    assert_eq!(series.at(11, "x[4m:2m]"), ["x 8:8 10:10"]);
    assert_eq!(series.at(10, "x[3m:]"), ["x 8:8 9:9 10:10"], "the default step is a minute");
}

#[test]
fn a_function_sees_the_results_as_samples() {
    let series = Series::new("x 0+60x20");
    assert_eq!(series.at(10, "max_over_time(rate(x[2m])[5m:1m])"), ["{} 1"]);
    assert_eq!(series.until(3, "sum_over_time(x[2m:1m])"), ["{} 0:0 1:60 2:180 3:300"]);
    assert_eq!(series.at(10, "avg_over_time((x > 300)[10m:1m])"), ["{} 480"]);
}

#[test]
fn a_subquery_can_be_shifted() {
    let series = Series::new("x 0+1x20");
    assert_eq!(series.at(10, "x[2m:1m] offset 5m"), ["x 4:4 5:5"]);
    assert_eq!(series.at(10, "x[2m:1m] @ 180"), ["x 2:2 3:3"]);
    assert_eq!(series.until(2, "sum_over_time(x[2m:1m] @ end())"), ["{} 0:3 1:3 2:3"]);
    assert_eq!(series.at(10, "sum_over_time((x @ 60)[3m:1m])"), ["{} 3"]);
}

#[test]
fn subqueries_can_be_nested() {
    let series = Series::new("x 0+1x30");
    assert_eq!(series.at(20, "max_over_time(sum_over_time(x[2m:1m])[4m:2m])"), ["{} 39"]);
}
