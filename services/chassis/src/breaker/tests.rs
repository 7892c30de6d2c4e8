use tokio::time::advance;

use super::*;

fn breaker() -> (Breaker, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (Breaker::new("teapot", &registry, &metrics), registry)
}

fn calls(breaker: &Breaker, successes: u32, failures: u32) {
    for _ in 0..successes {
        breaker.ask().unwrap().succeeded();
    }
    for _ in 0..failures {
        breaker.ask().unwrap().failed();
    }
}

fn shows(registry: &Registry, line: &str) -> bool {
    registry.text().lines().any(|shown| shown == line)
}

#[tokio::test(start_paused = true)]
async fn half_of_enough_calls_open_it() {
    let (breaker, registry) = breaker();
    calls(&breaker, 10, 9);
    assert!(shows(&registry, "mesh_breaker_state{destination=\"teapot\"} 0"));
    breaker.ask().unwrap().failed();
    assert!(shows(&registry, "mesh_breaker_state{destination=\"teapot\"} 2"));
    let rejected = breaker.ask().err().unwrap();
    assert_eq!(rejected.retry_after, OPEN);
    assert!(shows(&registry, "mesh_breaker_rejections_total{destination=\"teapot\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn a_small_share_of_failures_and_a_few_calls_do_not() {
    let (busy, _) = breaker();
    for _ in 0..100 {
        calls(&busy, 2, 1);
    }
    assert!(busy.ask().is_ok());
    let (quiet, _) = breaker();
    calls(&quiet, 0, ENOUGH - 1);
    assert!(quiet.ask().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_forgotten() {
    let (breaker, _) = breaker();
    calls(&breaker, 0, ENOUGH - 1);
    advance(Duration::from_secs(10)).await;
    calls(&breaker, 0, ENOUGH - 1);
    assert!(breaker.ask().is_ok());
    advance(Duration::from_secs(9)).await;
    calls(&breaker, 0, 1);
    assert!(breaker.ask().is_err(), "the window is ten seconds long");
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_decides() {
    let (breaker, registry) = breaker();
    calls(&breaker, 0, ENOUGH);
    advance(OPEN).await;
    assert!(shows(&registry, "mesh_breaker_state{destination=\"teapot\"} 1"));
    let probe = breaker.ask().unwrap();
    assert_eq!(breaker.ask().err().unwrap().retry_after, PROBED);
    probe.failed();
    assert_eq!(breaker.ask().err().unwrap().retry_after, OPEN);
    advance(OPEN).await;
    breaker.ask().unwrap().succeeded();
    assert!(shows(&registry, "mesh_breaker_state{destination=\"teapot\"} 0"));
    calls(&breaker, 0, ENOUGH - 1);
    assert!(breaker.ask().is_ok(), "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_makes_room_for_another() {
    let (breaker, _) = breaker();
    calls(&breaker, 0, ENOUGH);
    advance(OPEN).await;
    drop(breaker.ask().unwrap());
    assert!(breaker.ask().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_change_proves_nothing_after_it() {
    let (breaker, _) = breaker();
    let late: Vec<_> = (0..2 * ENOUGH).map(|_| breaker.ask().unwrap()).collect();
    calls(&breaker, 0, ENOUGH);
    advance(OPEN).await;
    breaker.ask().unwrap().succeeded();
    late.into_iter().for_each(Permit::failed);
    assert!(breaker.ask().is_ok());
}

#[test]
fn a_rejection_says_how_long_to_wait_whoever_tells_of_it() {
    let rejected = Rejected { destination: "teapot", retry_after: OPEN };
    let error = Error::new(Kind::Unavailable, "charge order 1").source(Error::from(rejected));
    assert_eq!(error.postponed(), Some(OPEN));
    assert_eq!(Error::new(Kind::Unavailable, "no answer").postponed(), None);
}
