use super::*;

fn expand_with(text: &str, value: f64) -> Result<String, String> {
    let labels = Labels::from([("job", "orders"), ("instance", "a:8080"), ("__name__", "up")]);
    let external = Labels::from([("cluster", "local")]);
    let query = |text: &str| match text {
        "none" => Ok(vec![]),
        "bad(" => Err("parse error".to_owned()),
        _ => Ok(vec![(Labels::from([("job", "b")]), 2.0), (Labels::from([("job", "a")]), 1.5)]),
    };
    let data = Data {
        labels: &labels,
        value,
        external_labels: &external,
        external_url: "http://host:8080/prometheus/",
        now_ms: 1_500,
        query: &query,
    };
    Template::parse(text)?.expand(&data)
}

#[track_caller]
fn expands(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(expand_with(text, 0.125).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn labels_values_and_what_is_known_of_the_server_are_inserted() {
    expands(&[
        ("plain", "plain"),
        ("{{ $labels.job }} is {{ $value }}", "orders is 0.125"),
        ("{{ .Labels.job }} is {{ .Value }}", "orders is 0.125"),
        ("{{$labels.__name__}}{{$labels.missing}}", "up"),
        ("{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", "local local"),
        (
            "{{ $externalURL }} {{ .ExternalURL }} {{ externalURL }} {{ pathPrefix }}",
            "http://host:8080/prometheus/ http://host:8080/prometheus/ http://host:8080/prometheus/ /prometheus/",
        ),
        (
            r#"{{ reReplaceAll "/prometheus/?$" "" $externalURL }}/grafana"#,
            "http://host:8080/grafana",
        ),
        ("{{ $.Value }} {{ now }}", "0.125 1.5"),
        ("{{ index $labels \"job\" }} {{ len $labels }}", "orders 3"),
        ("{{ $labels }}", "map[__name__:up instance:a:8080 job:orders]"),
    ]);
}

#[test]
fn a_pipeline_hands_each_result_to_the_next_function() {
    expands(&[
        ("{{ $value | humanizePercentage }}", "12.5%"),
        ("{{ $labels.job | toUpper | printf \"%s!\" }}", "ORDERS!"),
        ("{{ (printf \"%s-%s\" \"a\" \"b\") | toUpper }}", "A-B"),
        ("{{ `raw \"text\"` }}", "raw \"text\""),
        ("{{ \"a\\tb\\u00e9\\\"\" }}", "a\tbé\""),
    ]);
}

#[test]
fn conditions_and_comparisons_choose_text() {
    expands(&[
        ("{{ if gt $value 0.1 }}high{{ else }}low{{ end }}", "high"),
        (
            "{{ if lt $value 0.1 }}low{{ else if eq $labels.job \"orders\" }}orders{{ else }}other{{ end }}",
            "orders",
        ),
        ("{{ if and $labels.job (not $labels.missing) }}yes{{ end }}", "yes"),
        ("{{ or $labels.missing \"none\" }} {{ and $labels.job 0 }}", "none 0"),
        ("{{ if eq $labels.job \"a\" \"orders\" }}one of them{{ end }}", "one of them"),
        (
            "{{ with $labels.job }}{{ . }}{{ end }}{{ with $labels.missing }}x{{ else }}y{{ end }}",
            "ordersy",
        ),
        ("a {{- if true }} b {{ end -}} c", "a b c"),
        ("a{{/* why */}}b {{- /* why */ -}} c", "abc"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
    ]);
}

#[test]
fn queries_are_read_by_first_value_label_and_range() {
    expands(&[
        ("{{ query \"up\" | first | value }}", "2"),
        ("{{ query \"up\" | first | label \"job\" }}", "b"),
        ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }};{{ end }}", "b=2;a=1.5;"),
        (
            "{{ range $i, $s := query \"up\" | sortByLabel \"job\" }}{{ $i }}{{ $s.Labels.job }}{{ end }}",
            "0a1b",
        ),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        ("{{ with query \"none\" }}{{ . | first | value }}{{ end }}.", "."),
        (
            "{{ range $name, $text := $externalLabels }}{{ $name }}:{{ $text }}{{ end }}",
            "cluster:local",
        ),
    ]);
    for (text, reason) in [
        (
            "{{ query \"none\" | first }}",
            "error calling first: first() called on vector with no elements",
        ),
        ("{{ query \"bad(\" }}", "error calling query: parse error"),
        (
            "{{ if gt $value 1 }}x{{ end }}",
            "error calling gt: incompatible types for comparison: float64 and int",
        ),
        ("{{ $value | toUpper }}", "error calling toUpper: expected string; got float64"),
        ("{{ \"one\" | humanize }}", "error calling humanize: \"one\" is no number"),
        ("{{ $labels.job.name }}", "can't evaluate field name in string"),
    ] {
        assert_eq!(expand_with(text, 0.0), Err(reason.to_owned()), "{text}");
    }
}

/// Each line was compared with Go's `fmt`.
#[test]
fn numbers_are_written_as_go_writes_them() {
    for (value, all) in [
        (0.0, "0|0|0.000000|0.00|0.000000e+00|0|    0.00|0.0     "),
        (100.0, "100|100|100.000000|100.00|1.000000e+02|100|  100.00|100.0   "),
        (
            123_456.0,
            "123456|1.235e+05|123456.000000|123456.00|1.234560e+05|123456|123456.00|123456.0",
        ),
        (100_000.0, "100000|1e+05|100000.000000|100000.00|1.000000e+05|100000|100000.00|100000.0"),
        (
            1_234_567.0,
            "1.234567e+06|1.235e+06|1234567.000000|1234567.00|1.234567e+06|1234567|1234567.00|1234567.0",
        ),
        (0.0001, "0.0001|0.0001|0.000100|0.00|1.000000e-04|0|    0.00|0.0     "),
        (0.00001, "1e-05|1e-05|0.000010|0.00|1.000000e-05|0|    0.00|0.0     "),
        (-2.5e-8, "-2.5e-08|-2.5e-08|-0.000000|-0.00|-2.500000e-08|-0|   -0.00|-0.0    "),
        (
            1e21,
            "1e+21|1e+21|1000000000000000000000.000000|1000000000000000000000.00|1.000000e+21|1000000000000000000000|1000000000000000000000.00|1000000000000000000000.0",
        ),
    ] {
        let text = "{{ $v := $value }}{{ printf \"%v|%.4g|%f|%.2f|%e|%.0f|%8.2f|%-8.1f\" $v $v $v $v $v $v $v $v }}";
        assert_eq!(expand_with(text, value).as_deref(), Ok(all), "{value}");
    }
    expands(&[
        (
            "{{ printf \"%s|%d|%5s|%-5s|%05d|%q|%v|%t\" 1.5 2.5 \"ab\" \"ab\" 42 \"a\\\"b\" true true }}",
            "%!s(float64=1.5)|%!d(float64=2.5)|   ab|ab   |00042|\"a\\\"b\"|true|true",
        ),
        (
            "{{ printf \"%05.1f|%+.1f|%d|% d|%3d|%-3d|%03d\" -2.25 2.5 \"x\" 5 5 5 -5 }}",
            "-02.2|+2.5|%!d(string=x)| 5|  5|5  |-05",
        ),
        (
            "{{ printf \"%d %d\" 1 }}|{{ printf \"%d\" 1 2 \"a\" }}",
            "1 %!d(MISSING)|1%!(EXTRA int=2, string=a)",
        ),
        ("{{ printf \"%.2s|%6.1s|100%%|%G\" \"hello\" \"abc\" 1e-7 }}", "he|     a|100%|1E-07"),
        ("{{ print \"a\" 1 2 \"b\" 3.5 }}", "a1 2b3.5"),
    ]);
}

#[test]
fn numbers_are_shortened_for_people() {
    for (function, value, expected) in [
        ("humanize", 0.0, "0"),
        ("humanize", 1_234_567.0, "1.235M"),
        ("humanize", 999.0, "999"),
        ("humanize", -1_500.0, "-1.5k"),
        ("humanize", 0.005, "5m"),
        ("humanize", f64::INFINITY, "+Inf"),
        ("humanize", f64::NAN, "NaN"),
        ("humanize1024", 1_048_576.0, "1Mi"),
        ("humanize1024", 1_000.0, "1000"),
        ("humanize1024", 0.5, "0.5"),
        ("humanizePercentage", 0.001_234_5, "0.1234%"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizeDuration", 235.0, "3m 55s"),
        ("humanizeDuration", 899.99, "14m 59s"),
        ("humanizeDuration", 12.345, "12.35s"),
        ("humanizeDuration", 0.123_45, "123.5ms"),
        ("humanizeDuration", -183_845.0, "-2d 3h 4m 5s"),
        ("humanizeDuration", 3_600.0, "1h 0m 0s"),
        ("humanizeTimestamp", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", -1.0, "1969-12-31 23:59:59 +0000 UTC"),
        ("humanizeTimestamp", f64::NEG_INFINITY, "-Inf"),
    ] {
        let text = format!("{{{{ $value | {function} }}}}");
        assert_eq!(expand_with(&text, value).as_deref(), Ok(expected), "{function} {value}");
    }
}

#[test]
fn texts_are_changed_as_prometheus_changes_them() {
    expands(&[
        ("{{ title \"it's a foo_bar of example.com\" }}", "It's A Foo_bar Of Example.com"),
        ("{{ toLower \"ÄB\" }}", "äb"),
        ("{{ match \"^o.*s$\" $labels.job }}", "true"),
        ("{{ reReplaceAll \"(.*):.*\" \"host ${1}\" $labels.instance }}", "host a"),
        ("{{ stripPort \"a:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"a\" }}", "a ::1 a"),
        (
            "{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"a.b\" }} {{ stripDomain \"10.0.0.1:80\" }}",
            "a:80 a 10.0.0.1:80",
        ),
        ("{{ parseDuration \"1h30m\" }} {{ urlQueryEscape \"a b&c\" }}", "5400 a+b%26c"),
    ]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (text, reason) in [
        ("{{ $labels.job", "an action has no end: }} is missing"),
        ("{{ }}", "an action is empty"),
        ("{{ frobnicate 1 }}", "function \"frobnicate\" not defined"),
        ("{{ template \"x\" }}", "\"template\" is not supported"),
        ("{{ $service }}", "undefined variable \"$service\""),
        ("{{ if true }}x", "{{if}} has no {{end}}"),
        ("{{ end }}", "unexpected {{else}} or {{end}}"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", "the {{else}} of {{if}} has no {{end}}"),
        ("{{ humanize }}", "wrong number of arguments for humanize: 0; expected 1"),
        ("{{ 1 | 2 }}", "a value cannot follow |; expected a function"),
        ("{{ \"a }}", "a string has no end"),
        ("{{ ( 1 }}", "a parenthesis has no end"),
        (
            "{{ printf \"%x\" 1 }}",
            "printf: the verb %x is not supported; expected one of vsdfFeEgGtq%",
        ),
        (
            "{{ printf \"%9999d\" 1 }}",
            "printf: a width or precision of 9999; at most 1000 is allowed",
        ),
        (
            "{{ match \"[\" \"a\" }}",
            "regular expression \"[\": regex parse error:\n    [\n    ^\nerror: unclosed character class",
        ),
        ("{{ 0x10 }}", "number \"0x10\" is not supported; write it as 10 or 1.5e3"),
        ("{{ 'a' }}", "unexpected '\\''"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "undefined variable \"$x\""),
    ] {
        assert_eq!(Template::parse(text).expect_err(text), reason, "{text}");
    }
}

#[test]
fn a_template_can_neither_fill_the_memory_nor_run_for_ever() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(60), ")".repeat(60));
    assert!(Template::parse(&deep).unwrap_err().starts_with("more than 50 blocks"));
    let long = "x".repeat(MAX_TEMPLATE + 1);
    assert!(Template::parse(&long).unwrap_err().starts_with("the template has 16385 bytes"));
    let nested = "{{ range query \"up\" }}".repeat(20) + "x" + &"{{ end }}".repeat(20);
    assert_eq!(expand_with(&nested, 0.0).unwrap_err(), "more than 100000 actions are evaluated");
    let wide =
        "{{ range query \"up\" }}".repeat(8) + "{{ printf \"%1000d\" 1 }}" + &"{{ end }}".repeat(8);
    assert_eq!(expand_with(&wide, 0.0).unwrap_err(), "the text is longer than 65536 bytes");
}
