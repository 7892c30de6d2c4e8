use std::sync::atomic::{AtomicUsize, Ordering};

use chassis::{Kind, metrics::Registry};

use super::*;

fn cache() -> (Cache<&'static str, usize>, Metrics) {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (Cache::new("product", 10, &config::Cache::default(), &metrics), metrics)
}

#[tokio::test]
async fn what_everybody_wants_is_loaded_once() {
    let (cache, metrics) = cache();
    let loads = AtomicUsize::new(0);
    let ask = || {
        cache.get("teapot", async {
            let load = loads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(load)
        })
    };
    let answers = futures::future::join_all((0..50).map(|_| ask())).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == 0));
    assert_eq!(metrics.operations_total.with_label_values(&["product", "miss"]).get(), 1);
    assert_eq!(metrics.operations_total.with_label_values(&["product", "hit"]).get(), 49);
}

#[tokio::test]
async fn a_failure_is_told_and_forgotten() {
    let (cache, _) = cache();
    let failed = cache.get("teapot", async { Err(database::Error::PoolTimedOut) }).await;
    assert_eq!(failed.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(cache.get("teapot", async { Ok(7) }).await.unwrap(), 7);
}
