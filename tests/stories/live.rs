//! The live updates of a customer's open page.

use harness::{Live, Options};

fn statuses(events: &[Live]) -> Vec<&str> {
    let changes = events.iter().filter(|live| live.event == "status");
    changes.map(|live| live.data["status"].as_str().unwrap_or_default()).collect()
}

/// The current state comes first, then each change as it happens, in order, until the last.
pub(crate) async fn live_updates_arrive_in_order(options: Options) {
    let mesh = options
        .set("MESH_SHIPPING__DISPATCH_AFTER", "300ms")
        .set("MESH_SHIPPING__DELIVER_AFTER", "300ms")
        .start()
        .await;
    let order = mesh.gateway().place("tok_ok").await;
    let events = mesh.gateway().live(&order).await;
    assert_eq!(statuses(&events), ["placed", "paid", "dispatched", "completed"]);
    let ids: Vec<_> =
        events.iter().filter(|live| live.event == "status").map(|live| live.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let delivered = harness::until("the browser's end of the trace", || async {
        let spans = mesh.collector().trace(&order.trace_id);
        spans
            .into_iter()
            .find(|span| span.service == "gateway" && span.name.starts_with("process live.orders"))
    });
    let delivered = delivered.await;
    let sent = (order.trace_id.clone(), delivered.parent.clone());
    assert!(delivered.links.contains(&sent), "{delivered:?}");
    let sender = harness::until("who sent it", || async {
        let spans = mesh.collector().trace(&order.trace_id);
        spans.into_iter().find(|span| span.id == delivered.parent)
    });
    assert_eq!(sender.await.service, "notifications");
}

/// A page that connects late receives the whole history at once.
pub(crate) async fn a_late_subscriber_receives_the_whole_history(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_declined").await;
    mesh.gateway().until_status(&order, "cancelled").await;
    let events = mesh.gateway().live(&order).await;
    assert_eq!(statuses(&events), ["placed", "cancelled"]);
    assert_eq!(
        events.last().map(|live| live.data["reason"].clone()),
        Some("payment_declined".into())
    );
}
