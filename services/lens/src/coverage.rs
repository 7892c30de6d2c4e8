//! Which share of the services' work has spans in lens. Pure.
//!
//! Rates of edges are counted from spans. With sampling, in the services or in a collector, they are the rates of the sampled
//! traces, and nothing in a span says so: only a comparison with the services' own counters shows it.

use std::collections::BTreeMap;

/// What a service counts itself, per second: the requests and events that it handled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    pub(crate) handled: f64,
    pub(crate) errors: f64,
}

/// The share from which the spans count as complete: spans arrive a little later than counters, and requests of clients that
/// watch the mesh, or check the orders of a load, have no trace.
const ALL: f64 = 0.8;

/// With fewer requests and events, the share says nothing.
const FEWEST: f64 = 20.0;

/// The share of what the services handled that has spans; `None` if too little is known. `spans` has each service's number of
/// spans in this many seconds. Services that are not scraped are ignored.
pub(crate) fn share<'a>(
    spans: impl IntoIterator<Item = (&'a str, u64)>,
    seconds: u64,
    measured: &BTreeMap<String, Measured>,
) -> Option<f64> {
    let seconds = seconds as f64;
    let seen = spans.into_iter().filter(|(service, _)| measured.contains_key(*service));
    let seen: u64 = seen.map(|(_, spans)| spans).sum();
    let handled: f64 = measured.values().map(|measured| measured.handled).sum();
    (handled * seconds >= FEWEST).then(|| (seen as f64 / seconds / handled).min(1.0))
}

/// Whether rates from spans are lower than the real ones.
pub(crate) fn is_sampled(share: f64) -> bool {
    share < ALL
}

/// The service of a target: the targets of `mesh up` are named like `orders` and `orders_2`.
pub(crate) fn service_of(target: &str) -> &str {
    match target.rsplit_once('_') {
        Some((service, number)) if number.parse::<u16>().is_ok() => service,
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(handled: f64) -> BTreeMap<String, Measured> {
        BTreeMap::from([("orders".into(), Measured { handled, errors: 0.0 })])
    }

    #[test]
    fn a_tenth_of_the_spans_is_a_sample_and_nearly_all_of_them_is_none() {
        let tenth = share([("orders", 600), ("elsewhere", 9_000)], 60, &measured(100.0)).unwrap();
        assert!((tenth - 0.1).abs() < 1e-9 && is_sampled(tenth), "{tenth}");
        let all = share([("orders", 5_900)], 60, &measured(100.0)).unwrap();
        assert!(!is_sampled(all), "{all}");
        assert_eq!(share([], 60, &measured(100.0)), Some(0.0), "nothing is traced");
        assert_eq!(share([("orders", 99_999)], 60, &measured(100.0)), Some(1.0));
    }

    #[test]
    fn without_traffic_or_metrics_nothing_is_said() {
        assert_eq!(share([("orders", 3)], 60, &measured(0.1)), None);
        assert_eq!(share([("orders", 3_000)], 60, &BTreeMap::new()), None);
    }

    #[test]
    fn replicas_are_of_one_service() {
        assert_eq!((service_of("orders_2"), service_of("orders")), ("orders", "orders"));
        assert_eq!(service_of("new_service"), "new_service");
    }
}
