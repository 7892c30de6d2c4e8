//! The catalog's cache in a real server, which dies and comes back: it saves reads of the database, and its loss fails no
//! request.

use harness::{Mesh, until};

use crate::parts;

/// Cache lookups with this outcome so far.
async fn cached(mesh: &Mesh, outcome: &str) -> f64 {
    mesh.metrics("catalog").await.sum("mesh_cache_operations_total", &[("outcome", outcome)])
}

pub(crate) async fn until_told(mesh: &Mesh, outcome: &str) {
    let before = cached(mesh, outcome).await;
    until(&format!("the cache to tell: {outcome}"), || async {
        let answer = mesh.gateway().get("/api/products/teapot").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (cached(mesh, outcome).await > before).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Kafka, NATS, PostgreSQL and Valkey: .ci/run has them"]
async fn products_are_shown_without_the_cache() {
    let mesh = crate::real().start().await;
    until_told(&mesh, "hit").await;
    parts::tell("kill", "valkey").await;
    until_told(&mesh, "error").await;
    parts::tell("restart", "valkey").await;
    until_told(&mesh, "hit").await;
}
