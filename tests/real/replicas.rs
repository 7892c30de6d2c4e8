//! Two replicas of a service share its work, and one may die.

use harness::{Service, until};

use crate::stories::crashes::{Customers, all_final};

const TWICE: [&str; 3] = ["gateway", "orders", "payments"];

async fn replicas(mesh: &harness::Mesh, name: &str) -> Vec<Service> {
    mesh.status().await.into_iter().filter(|service| service.service == name).collect()
}

/// Only one replica of a service publishes events: with two, events of one order could overtake each other, and the inboxes
/// would hide it.
async fn one_of_them_tells(both: &[Service]) {
    const ENOUGH: f64 = 20.0;
    let sent = until("events of both replicas", || async {
        let mut sent = Vec::new();
        for replica in both {
            let admin = replica.admin.as_deref().unwrap_or_default();
            let text = harness::text(&format!("{admin}/metrics")).await?;
            let send = [("messaging_operation_name", "send")];
            sent.push(
                harness::Samples::read(&text)
                    .sum("messaging_client_operation_duration_seconds_count", &send),
            );
        }
        (sent.iter().sum::<f64>() >= ENOUGH).then_some(sent)
    });
    let sent = sent.await;
    assert_eq!(sent.iter().filter(|sent| **sent > 0.0).count(), 1, "{sent:?}");
}

#[tokio::test]
#[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
async fn two_replicas_share_the_work_and_survive_a_kill() {
    let mesh =
        crate::real().arguments(&["--replicas", "gateway=2,orders=2,payments=2"]).start().await;
    let customers = Customers::at(&mesh.gateway());
    for name in TWICE {
        let both = replicas(&mesh, name).await;
        assert_eq!(both.len(), 2, "{both:#?}");
        // Both replicas get work.
        for replica in &both {
            let admin = replica.admin.clone().unwrap_or_default();
            until(&format!("work of both replicas of {name}"), || async {
                let metrics =
                    harness::Samples::read(&harness::text(&format!("{admin}/metrics")).await?);
                let served = metrics.sum("rpc_server_call_duration_seconds_count", &[]);
                let answered = metrics.sum("http_server_request_duration_seconds_count", &[]);
                let handled = metrics.sum("messaging_process_duration_seconds_count", &[]);
                // A customer uses one gateway; the second one serves others.
                (name == "gateway" || served + answered + handled > 0.0).then_some(())
            })
            .await;
        }
        if name != "gateway" {
            one_of_them_tells(&both).await;
        }
        // The last one of the list is the additional replica.
        mesh.kill_process(&both[1]).await;
    }
    let accepted = customers.leave().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}
