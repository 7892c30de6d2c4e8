//! Operators with two operands.

use crate::Series;

fn errors() -> Series {
    Series::new(
        r#"
        errors{route="/a",code="500"} 2
        errors{route="/a",code="404"} 1
        errors{route="/b",code="500"} 4
        requests{route="/a"} 10
        requests{route="/b"} 20
        requests{route="/c"} 30
        owner{route="/a",team="blue"} 1
        late{route="/a"} 1
        "#,
    )
}

#[test]
fn numbers_are_computed_as_in_go() {
    let series = Series::new("");
    for (query, result) in [
        ("1 + 2 * 3 ^ 2", "19"),
        ("2 ^ 3 ^ 2", "512"),
        ("-7 % 3", "-1"),
        ("1 / 0", "inf"),
        ("0 / 0 == bool 0 / 0", "0"),
        ("2 >= bool 2", "1"),
        ("1 atan2 1", "0.7853981633974483"),
    ] {
        assert_eq!(series.at(0, query), [result], "{query}");
    }
}

#[test]
fn a_computed_series_loses_its_name() {
    let series = Series::new("x{n=\"1\"} 4");
    assert_eq!(series.at(0, "x * 2"), [r#"{n="1"} 8"#]);
    assert_eq!(series.at(0, "2 - x"), [r#"{n="1"} -2"#]);
    assert_eq!(series.at(0, "-x"), [r#"{n="1"} -4"#]);
    assert_eq!(series.at(0, "+x"), [r#"x{n="1"} 4"#]);
}

#[test]
fn a_comparison_filters_and_keeps_the_value_of_the_vector() {
    let series = Series::new("x{n=\"1\"} 4 1\nx{n=\"2\"} 1 1");
    assert_eq!(series.until(1, "x > 2"), [r#"x{n="1"} 0:4"#]);
    assert_eq!(series.until(1, "2 < x"), [r#"x{n="1"} 0:4"#]);
    assert_eq!(series.at(0, "x > bool 2"), [r#"{n="1"} 1"#, r#"{n="2"} 0"#]);
    assert_eq!(series.at(0, "x > on (n) x * 0.5"), [r#"{n="1"} 4"#, r#"{n="2"} 1"#]);
    assert_eq!(series.at(0, "x > ignoring (m) (x - 1)"), [r#"x{n="1"} 4"#, r#"x{n="2"} 1"#]);
}

#[test]
fn series_belong_together_if_the_labels_to_compare_are_equal() {
    let series = errors();
    assert_eq!(
        series.at(0, r#"errors{code="500"} / ignoring (code) requests"#),
        [r#"{route="/a"} 0.2"#, r#"{route="/b"} 0.2"#]
    );
    assert_eq!(
        series.at(0, r#"errors{code="500"} / on (route) requests"#),
        [r#"{route="/a"} 0.2"#, r#"{route="/b"} 0.2"#]
    );
    assert_eq!(series.at(0, "errors / requests"), [""; 0]);
}

#[test]
fn many_series_can_share_one_of_the_other_side() {
    let series = errors();
    assert_eq!(
        series.at(0, "errors / on (route) group_left requests"),
        [
            r#"{code="404", route="/a"} 0.1"#,
            r#"{code="500", route="/a"} 0.2"#,
            r#"{code="500", route="/b"} 0.2"#
        ]
    );
    assert_eq!(
        series.at(0, "requests - on (route) group_right errors"),
        [
            r#"{code="404", route="/a"} 9"#,
            r#"{code="500", route="/a"} 8"#,
            r#"{code="500", route="/b"} 16"#
        ]
    );
    assert_eq!(
        series.at(0, r#"errors{code="404"} * on (route) group_left (team, code) owner"#),
        [r#"{route="/a", team="blue"} 1"#]
    );
    assert_eq!(
        series.at(0, "errors > on (route) group_left (team) owner"),
        [r#"errors{code="500", route="/a", team="blue"} 2"#]
    );
}

#[test]
fn ambiguous_matches_are_errors() {
    let series = errors();
    let error = series.error(0, "requests / on (route) errors");
    assert!(
        error
            .starts_with(r#"found duplicate series for the match group {route="/a"} on the right"#),
        "{error}"
    );
    let error = series.error(0, "errors / on (code) group_right requests");
    assert!(
        error.starts_with(r#"found duplicate series for the match group {code="500"} on the left"#),
        "{error}"
    );
    assert_eq!(
        series.error(0, "errors / on (route) requests"),
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    );
    assert_eq!(
        series.error(0, "errors / on (route) group_left (code) requests"),
        "multiple matches for labels: grouping labels must ensure unique matches"
    );
    assert_eq!(
        series.error(0, r#"{__name__=~"requests|late"} + 1"#),
        "vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn duplicates_do_not_matter_while_the_other_side_is_empty() {
    let series = errors();
    assert_eq!(series.at(0, "missing / on (route) errors"), [""; 0]);
    assert_eq!(series.at(0, "errors / on (route) missing"), [""; 0]);
}

#[test]
fn a_series_may_take_over_from_another_with_the_same_signature() {
    let series = Series::new(
        r#"
        a{pod="1"} 1 1 1 1
        version{pod="1",v="x"} 1 1 stale
        version{pod="1",v="y"} _ _ 1 1
        "#,
    );
    assert_eq!(
        series.until(3, "a * on (pod) group_left (v) version"),
        [r#"{pod="1", v="x"} 0:1 1:1"#, r#"{pod="1", v="y"} 2:1 3:1"#]
    );
    assert_eq!(series.until(3, "a * on (pod) version"), [r#"{pod="1"} 0:1 1:1 2:1 3:1"#]);
    assert_eq!(series.until(3, "version * on (pod) a"), [r#"{pod="1"} 0:1 1:1 2:1 3:1"#]);
}

#[test]
fn sets_compare_labels_at_each_step() {
    let series = Series::new("a{n=\"1\"} 1 1\na{n=\"2\"} 2 2\nb{n=\"1\"} 5 stale");
    assert_eq!(series.until(1, "a and b"), [r#"a{n="1"} 0:1"#]);
    assert_eq!(series.until(1, "a unless b"), [r#"a{n="1"} 1:1"#, r#"a{n="2"} 0:2 1:2"#]);
    assert_eq!(
        series.until(1, "b or a"),
        [r#"a{n="1"} 1:1"#, r#"a{n="2"} 0:2 1:2"#, r#"b{n="1"} 0:5"#]
    );
    assert_eq!(series.at(0, "a or on () b"), [r#"a{n="1"} 1"#, r#"a{n="2"} 2"#]);
    assert_eq!(series.at(0, "a and on () vector(1)").len(), 2);
    assert_eq!(series.at(0, "missing or vector(0)"), ["{} 0"]);
}
