use super::{series::values, *};

#[test]
fn the_notation_of_series_is_that_of_promtool() {
    for (text, expected) in [
        ("", ""),
        ("1 2.5 -3", "1 2.5 -3"),
        ("5x2", "5 5 5"),
        ("0+5x3", "0 5 10 15"),
        ("10-2.5x2 7", "10 7.5 5 7"),
        ("-5-1x1", "-5 -6"),
        ("1e3+1e-1x1", "1000 1000.1"),
        ("_ 1 _x2 2", "_ 1 _ _ 2"),
        ("0x0 0x3", "0 0 0 0 0"),
        ("Inf -inf NaN", "inf -inf NaN"),
    ] {
        let text_of = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
        let shown: Vec<_> = values(text).unwrap().iter().map(text_of).collect();
        assert_eq!(shown.join(" "), expected, "{text}");
    }
    let stale = values("1 stale").unwrap()[1].unwrap();
    assert!(promql::is_stale(stale));
    for bad in ["a", "1x", "1+x5", "1+2x-1", "1,2", "{{schema:1}}", "1x99999999"] {
        assert!(values(bad).is_err(), "{bad}");
    }
}

#[test]
fn input_series_have_a_name_and_labels_and_nothing_else() {
    assert_eq!(series::labels(r#"up{job="a",empty=""}"#).unwrap().to_string(), r#"up{job="a"}"#);
    assert_eq!(series::labels("{}").unwrap().to_string(), "{}");
    for bad in ["up{job=~\"a\"}", "up[5m]", "up + 1", "up offset 5m", "", "{a=\"b\" or c=\"d\"}"] {
        assert!(series::labels(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_start_is_a_moment_or_seconds() {
    let at = |text: &str| document::moment(&Some(text.to_owned()));
    assert_eq!(at("2026-01-31T12:00:00Z"), Ok(1_769_860_800_000));
    assert_eq!(at("1769860800.5"), Ok(1_769_860_800_500));
    assert!(at("yesterday").unwrap_err().contains("is no moment"));
}
