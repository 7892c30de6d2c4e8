//! Starts, stops, and wrong configurations.

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use harness::{Mesh, Options, Provider, until};
use tokio::time::sleep;

use super::crashes::{Customers, all_final};

/// SIGTERM to a service, and to the whole mesh: requests in flight are finished, no request fails, and no span is missing.
pub(crate) async fn a_stop_fails_no_request_and_loses_no_span(options: Options) {
    let mut mesh = options.start().await;
    let gateway = mesh.gateway();
    let begun = gateway.begin("tok_ok").await;
    mesh.terminate("gateway").await;
    until_draining(&mesh, "gateway").await;
    let mut orders = vec![begun.finish().await];
    mesh.until_ready().await;
    for _ in 0..20 {
        orders.push(gateway.place("tok_ok").await);
    }
    for order in &orders {
        gateway.until_status(order, "completed").await;
    }
    let status = mesh.stop().await;
    assert!(status.success(), "{status}\n{}", mesh.log());
    for order in &orders {
        assert_eq!(mesh.collector().orphans(&order.trace_id).len(), 0, "every span has its parent");
        let services: BTreeSet<_> =
            mesh.collector().trace(&order.trace_id).into_iter().map(|span| span.service).collect();
        let mut all = registry::of_the_mesh();
        assert!(all.all(|service| services.contains(service)), "{services:?}");
    }
}

/// A gateway that received SIGTERM goes on for a while, and its responses carry `Connection: close`: clients that leave then
/// lose no request to it.
pub(crate) async fn a_stopping_gateway_closes_idle_connections_without_loss(options: Options) {
    let mut mesh = options.set("MESH_DRAIN__SETTLE", "1h").start().await;
    let gateway = mesh.gateway();
    let last_of_its_connection = async || {
        let answer = gateway.order(1, "teapot", "tok_ok").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("connection") == "close"
    };
    assert!(!last_of_its_connection().await);
    let before = mesh.service("gateway").await;
    mesh.terminate("gateway").await;
    until_draining(&mesh, "gateway").await;
    assert!(last_of_its_connection().await);
    sleep(ANOTHER_WISH).await;
    mesh.terminate("gateway").await;
    mesh.until_replaced(&before).await;
    mesh.until_ready().await;
    assert!(!last_of_its_connection().await);
}

/// A service finishes the event in flight before it ends: no other process requests the same charge again.
pub(crate) async fn a_stopping_service_finishes_its_charge_in_flight(options: Options) {
    let provider = Provider::start().await;
    let options = options
        .set("MESH_PAYMENTS__PROVIDER", &provider.url())
        .set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "25s")
        .set("MESH_PAYMENTS__PROVIDER_ATTEMPTS", "1")
        .set("MESH_DRAIN__DEADLINE", "60s");
    let mesh = options.start().await;
    provider.hold(true);
    let order = mesh.gateway().place("tok_ok").await;
    until("the charge to be asked for", || async { (provider.charges() == 1).then_some(()) }).await;
    let before = mesh.service("payments").await;
    mesh.terminate("payments").await;
    until_draining(&mesh, "payments").await;
    provider.hold(false);
    mesh.until_replaced(&before).await;
    mesh.gateway().until_status(&order, "completed").await;
    assert_eq!(provider.charges(), 1);
    mesh.audit().await;
}

/// A second signal ends a service at once, and the mesh with all its processes.
pub(crate) async fn a_second_signal_ends_the_process_at_once(options: Options) {
    let options = options.set("MESH_DRAIN__DEADLINE", "1h").set("MESH_GATEWAY__DEADLINE", "1h");
    let mut mesh = options.start().await;
    let held_up = mesh.gateway().begin("tok_ok").await;
    let before = mesh.service("gateway").await;
    mesh.terminate("gateway").await;
    until_draining(&mesh, "gateway").await;
    sleep(ANOTHER_WISH).await;
    mesh.terminate("gateway").await;
    mesh.until_replaced(&before).await;
    drop(held_up);

    let held_up = mesh.gateway().begin("tok_ok").await;
    let services = mesh.status().await;
    mesh.terminate("mesh").await;
    until_draining(&mesh, "gateway").await;
    sleep(ANOTHER_WISH).await;
    let status = mesh.stop().await;
    assert_eq!(status.code(), Some(130), "{}", mesh.log());
    mesh.until_gone(&services).await;
    drop(held_up);
}

/// Two signals within less than 200 ms count as one request to stop.
const ANOTHER_WISH: Duration = Duration::from_millis(300);

async fn until_draining(mesh: &Mesh, service: &str) {
    until(&format!("{service} to say that it drains"), || async {
        mesh.admin(service, "/readyz").await?.contains("draining").then_some(())
    })
    .await;
}

/// A service that waits for a dependency names it in `/readyz`.
pub(crate) async fn readyz_names_the_missing_dependency(options: Options) {
    // A port without a listener stands in for NATS.
    let unused = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("nats://{}", unused.local_addr().expect("is bound"));
    drop(unused);
    let mesh = options.arguments(&["--nats", &url]).spawn().await;
    let ready = until("notifications to say what is missing", || async {
        let body: serde_json::Value =
            serde_json::from_str(&mesh.admin("notifications", "/readyz").await?).ok()?;
        body["missing"].as_array()?.iter().any(|latch| latch == "nats").then_some(body)
    });
    assert_eq!(ready.await["ready"], false);
    let orders = until("orders to be ready", || async {
        let body: serde_json::Value =
            serde_json::from_str(&mesh.admin("orders", "/readyz").await?).ok()?;
        (body["ready"] == true).then_some(body)
    });
    assert_eq!(orders.await["missing"].as_array().map(Vec::len), Some(0));
}

/// All configuration errors are reported at once, each with its source, and the exit status 78 says that the configuration is
/// at fault.
pub(crate) async fn all_configuration_errors_are_reported_at_once(options: Options) {
    let mesh = options
        .set("MESH_ORDERS__CATALOG", "nowhere")
        .set("MESH_DRAIN__DEADLINE", "soon")
        .start_nothing()
        .await;
    std::fs::write(mesh.folder().join("mesh.toml"), "[orders]\nlisten = 5\ninventry = 'x'\n")
        .expect("a file");
    let output = mesh.run(&["orders"]).await;
    assert_eq!(output.status.code(), Some(78));
    let errors = String::from_utf8_lossy(&output.stderr);
    for part in [
        "catalog: ",
        "MESH_CATALOG",
        "drain.deadline: ",
        "listen: ",
        "inventry: no such setting; did you mean inventory?",
        "(from mesh.toml)",
        "expected http://<host>:<port>",
    ] {
        assert!(errors.contains(part), "{part:?} is not in:\n{errors}");
    }
}

/// If another process uses a port, the error names it and the setting that moves it, before any service starts.
pub(crate) async fn a_port_in_use_is_named_before_the_start(options: Options) {
    let mut mesh = options.start_nothing().await;
    let taken = TcpListener::bind(("127.0.0.1", mesh.base())).expect("a free port");
    mesh.up();
    let status = mesh.wait().await;
    assert!(!status.success());
    let log = mesh.log();
    assert!(
        log.contains(&mesh.base().to_string())
            && log.contains("--port-base")
            && log.contains("gateway"),
        "{log}"
    );
    drop(taken);
}

/// Flows that a stop interrupts go on at the next start: one with a charge in flight, and one with a parcel that waits for
/// its dispatch.
pub(crate) async fn interrupted_flows_continue_after_a_restart(options: Options) {
    let mut mesh = options.set("MESH_SHIPPING__DISPATCH_AFTER", "5s").start().await;
    let paid = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&paid, "paid").await;
    let customers = Customers::at(&mesh.gateway());
    let slow = mesh.gateway().place("tok_slow").await;
    let mut accepted = vec![paid, slow];
    assert!(mesh.stop().await.success(), "{}", mesh.log());
    accepted.extend(customers.leave().await);
    mesh.up();
    mesh.until_ready().await;
    mesh.audit().await;
    all_final(&mesh.gateway(), &accepted).await;
}
