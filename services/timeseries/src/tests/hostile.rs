//! Texts that no target of good will sends.

use proptest::prelude::*;

use super::*;

/// Lines that are nearly right.
fn line() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b_total",
        "{",
        "}",
        "x=\"1\"",
        "le=\"1\"",
        ",",
        "=",
        "\"",
        "\\",
        " ",
        "  ",
        "\t",
        "1",
        "-0.5",
        "1e400",
        "NaN",
        "+Inf",
        "# TYPE a histogram",
        "# HELP a b",
        "# UNIT a s",
        "# EOF",
        "#",
        "\u{e9}",
        "\u{1f600}",
        " # {trace_id=\"a\"} 1",
        " 1700000000",
        "job=\"x\"",
        "__name__=\"z\"",
        "{x=\"1\"} 2",
        "\r",
    ]);
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_text_is_stored_or_refused(
        texts in prop::collection::vec(prop::collection::vec(line(), 0..20), 1..6),
        end in prop::sample::select(vec!["", "\n", "\n# EOF\n", "\n# EOF"]),
    ) {
        let store = Store::new(Options { bytes: 1 << 20, series: 50, ..Options::default() });
        for (at, lines) in texts.iter().enumerate() {
            let text = lines.join("\n") + end;
            let at_ms = at as i64 * 1_000 + 1;
            match store.scrape(&target("orders"), at_ms, TOOK, &text) {
                Ok(scraped) => prop_assert!(scraped.refused <= scraped.samples),
                Err(error) => prop_assert!(error.to_string().contains("expected"), "{error}"),
            }
            let up = found(&store, "up", at_ms, at_ms);
            prop_assert_eq!(up.len(), 1);
            prop_assert!(store.usage().series <= 55);
        }
        store.restore(&store.snapshot(), 0, 0).unwrap_err();
        let copy = Store::new(Options::default());
        copy.restore(&store.snapshot(), 10_000, 10_000).unwrap();
        prop_assert_eq!(all(&copy, "{job!=\"\"}"), all(&store, "{job!=\"\"}"));
    }

    /// What is remembered of the last answer changes only the speed.
    #[test]
    fn every_answer_is_read_as_if_it_were_the_first(
        texts in prop::collection::vec(prop::collection::vec((0_u8..12, 0_u32..4), 0..30), 1..6),
    ) {
        let store = store();
        for (at, lines) in texts.iter().enumerate() {
            let at_ms = at as i64 + 1;
            let line = |(series, value): &(u8, u32)| match series {
                11 => "# TYPE m histogram\n".to_owned(),
                10 => "# TYPE m gauge\n".to_owned(),
                series => format!("m{{le=\"{series}\"}} {value}\n"),
            };
            let text: String = lines.iter().map(line).collect();
            let first = self::store();
            first.scrape(&Labels::empty(), at_ms, TOOK, &text).unwrap();
            store.scrape(&Labels::empty(), at_ms, TOOK, &text).unwrap();
            let of_now = |store: &Store| -> Vec<_> {
                let found = found(store, "m", at_ms, at_ms);
                found.into_iter().filter(|series| !series.contains("stale")).collect()
            };
            prop_assert_eq!(of_now(&store), of_now(&first));
        }
    }
}

#[test]
fn a_label_that_is_too_long_is_refused() {
    let store = store();
    let many: String = (0..65).map(|label| format!("l{label}=\"x\",")).collect();
    let text = format!("a{{x=\"{}\"}} 1\nb{{{many}}} 1\nc 1\n", "x".repeat(1_025));
    let scraped = store.scrape(&Labels::empty(), 1, TOOK, &text).unwrap();
    assert_eq!(scraped, Scraped { samples: 3, added: 1, refused: 2 });
}

#[test]
fn there_are_at_most_a_thousand_targets() {
    let store = store();
    for number in 0..1_000 {
        store.scrape_failed(&target(&number.to_string()), 1, TOOK);
    }
    let refused = store.scrape(&target("one more"), 1, TOOK, "a 1\n");
    assert_eq!(refused.unwrap_err().to_string(), "there are 1000 targets already");
    store.scrape(&target("7"), 2, TOOK, "a 1\n").unwrap();
    store.scrape(&target("7"), 4_000_000, TOOK, "a 1\n").unwrap();
    store.scrape(&target("one more"), 4_000_000, TOOK, "a 1\n").unwrap();
}
