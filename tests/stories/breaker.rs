//! A third party that is down.

use futures::future::join_all;
use harness::{Mesh, Options, until};

/// The third party is not called for a while: the orders that it did not answer are cancelled; the others wait, and are paid
/// as soon as it answers again. No event becomes a dead letter.
pub(crate) async fn an_open_breaker_protects_the_third_party(options: Options) {
    let options = options
        .set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "600ms")
        .set("MESH_PAYMENTS__KAFKA__ATTEMPTS", "2");
    let mesh = options.start().await;
    assert_eq!(breaker(&mesh, "state").await, 0.0);
    let gateway = mesh.gateway();
    let down = join_all((0..30).map(|_| gateway.place("tok_down"))).await;
    until("the breaker to open", || async { (breaker(&mesh, "state").await == 2.0).then_some(()) })
        .await;
    let fine = join_all((0..10).map(|_| gateway.place("tok_ok"))).await;
    until("calls to be rejected", || async {
        (breaker(&mesh, "rejections_total").await >= 10.0).then_some(())
    })
    .await;
    for order in &down {
        let ended = gateway.until_status(order, "cancelled").await;
        assert_eq!(ended.body["reason"], "payment_unavailable", "{ended:?}");
    }
    for order in &fine {
        gateway.until_status(order, "completed").await;
    }
    assert_eq!(breaker(&mesh, "state").await, 0.0);
    let metrics = mesh.metrics("payments").await;
    assert_eq!(metrics.sum("mesh_dead_letters_total", &[]), 0.0);
    mesh.audit().await;
}

async fn breaker(mesh: &Mesh, what: &str) -> f64 {
    let of_provider = [("destination", "provider")];
    mesh.metrics("payments").await.sum(&format!("mesh_breaker_{what}"), &of_provider)
}
