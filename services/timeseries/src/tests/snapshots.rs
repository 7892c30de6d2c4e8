//! A store that is saved and restored.

use proptest::prelude::*;

use super::*;

/// A store with everything that a snapshot has.
fn full() -> Store {
    let store = store();
    for row in 0..150 {
        let text = format!(
            "# HELP handled Handled.\n# TYPE handled counter\nhandled_total{{a=\"x\"}} {row} # {{trace_id=\"{row}\"}} 0.5\n\
             seconds{{v=\"{}\"}} {}\n# EOF\n",
            row / 70,
            f64::from(row) * 0.1
        );
        store.scrape(&target("orders"), i64::from(row) * 1_000, TOOK, &text).unwrap();
        store.append("slo", i64::from(row) * 1_000, &[(Labels::from([("__name__", "r")]), 1.0)]);
    }
    store.scrape_failed(&target("payments"), 1_000, TOOK);
    store
}

fn restored(bytes: &[u8], now_ms: i64) -> Store {
    let store = store();
    store.restore(bytes, now_ms, now_ms).unwrap();
    store
}

#[test]
fn a_restored_store_has_everything() {
    let before = full();
    let after = restored(&before.snapshot(), 150_000);
    assert_eq!(all(&after, "{__name__!=\"\"}"), all(&before, "{__name__!=\"\"}"));
    assert_eq!(after.metadata(), before.metadata());
    let everything = Matchers::empty();
    let select = Select { matchers: &everything, from_ms: 0, to_ms: i64::MAX };
    assert_eq!(after.exemplars(&select), before.exemplars(&select));
    let usage = |store: &Store| (store.usage().series, store.usage().samples);
    assert_eq!(usage(&after), usage(&before));
    assert_eq!(after.usage().refused, Refused::default());
}

/// The series of the run before go on if the target still has them; the others end.
#[test]
fn a_restored_target_goes_on() {
    let store = restored(&full().snapshot(), 150_000);
    store.scrape(&target("orders"), 151_000, TOOK, "seconds{v=\"2\"} 7\n").unwrap();
    let last = |selector| found(&store, selector, 149_000, 151_000);
    assert!(last("seconds{v=\"2\"}")[0].ends_with("@149000 7@151000"));
    assert!(last("handled_total")[0].ends_with("149@149000 stale@151000"));
    let earlier = store.scrape(&target("orders"), 100_000, TOOK, "a 1\n");
    assert_eq!(earlier, Err(ScrapeError::Order));
}

#[test]
fn samples_beyond_the_retention_or_now_are_left_out() {
    let bytes = full().snapshot();
    assert_eq!(restored(&bytes, 4_000_000).usage().series, 0);
    let past = restored(&bytes, 130_000);
    assert!(all(&past, "r")[0].ends_with("1@127000"), "the blocks after it end later");
}

#[test]
fn what_does_not_fit_is_refused() {
    let store = Store::new(Options { series: 3, ..Options::default() });
    store.restore(&full().snapshot(), 150_000, 150_000).unwrap();
    let usage = store.usage();
    assert!(usage.series == 3 && usage.refused.limit > 0, "{usage:?}");
}

#[test]
fn other_bytes_are_refused_with_a_reason() {
    let bytes = full().snapshot();
    let refused = |bytes: &[u8]| store().restore(bytes, 150_000, 150_000).unwrap_err().to_string();
    assert!(refused(b"hello").contains(r#"it does not begin with "timeseries 1""#));
    assert!(refused(&bytes[..bytes.len() - 1]).contains("checksum"));
    assert!(refused(&bytes[..14]).contains("checksum"));
    let store = full();
    assert!(store.restore(&bytes, 150_000, 150_000).unwrap_err().to_string().contains("not empty"));
}

/// The bytes with the right checksum.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(8));
    let checksum = crate::hash::of(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A snapshot may be made to harm: its checksum is right.
    #[test]
    fn damaged_bytes_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(), is_cut in any::<bool>(),
    ) {
        let small = store();
        for row in 0..20 {
            let text = format!("a{{x=\"1\"}} {row}\nb{{y=\"2\"}} 0.{row} # {{t=\"{row}\"}} 1\n# EOF\n");
            small.scrape(&target("orders"), row * 1_000, TOOK, &text).unwrap();
        }
        let mut bytes = small.snapshot();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let store = store();
        if store.restore(&signed(bytes), 20_000, 20_000).is_ok() {
            let _ = all(&store, "{job=\"orders\"}");
            prop_assert!(store.usage().bytes <= Options::default().bytes);
            let next = store.scrape(&target("orders"), 30_000, TOOK, "a{x=\"1\"} 1\n");
            prop_assert!(next.is_ok(), "{:?}", next);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut with_head = b"timeseries 1\n".to_vec();
        with_head.extend(&bytes);
        prop_assert!(store().restore(&bytes, 0, 0).is_err());
        let store = store();
        if store.restore(&signed(with_head), 0, 0).is_ok() {
            prop_assert_eq!(store.usage().samples, 0);
        }
    }
}

/// A snapshot is taken while targets are scraped: neither waits for the other for ever.
#[test]
fn a_snapshot_and_a_scrape_do_not_block_each_other() {
    let store = store();
    let scrapes = |name: &str| {
        for scrape in 0..300_i64 {
            let text = format!(
                "# TYPE h histogram\nh_bucket{{le=\"1.0\"}} {scrape} # {{trace_id=\"{scrape}\"}} 0.25 {scrape}.5\n# EOF\n"
            );
            store.scrape(&target(name), scrape * 1_000, TOOK, &text).unwrap();
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(|| scrapes("a"));
        threads.spawn(|| scrapes("b"));
        threads.spawn(|| (0..300).for_each(|_| drop(store.snapshot())));
    });
    assert!(store.restore(&store.snapshot(), 0, 0).is_err(), "it has something");
}
