//! Taken ports are told before anything starts, and again when a child could not have its own.

use std::{io::ErrorKind, net::TcpListener, time::Duration};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::layout::{Layout, Process};

/// How long the children of a killed supervisor may take to notice: they read the end of their standard input at once.
const LEFTOVERS: Duration = Duration::from_secs(3);

/// Which of the backing parts are in this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Embedded {
    pub(super) kafka: bool,
    pub(super) nats: bool,
}

/// Fails if anything that this layout needs is taken; waits for what a killed supervisor left behind.
pub(super) async fn check(
    layout: &Layout,
    embedded: Embedded,
    takes_over: bool,
) -> anyhow::Result<()> {
    let patience = if takes_over { LEFTOVERS } else { Duration::ZERO };
    let deadline = Instant::now() + patience;
    loop {
        let mut taken: Vec<_> = layout.processes.iter().flat_map(of_process).collect();
        let own = [
            (true, layout.control, "the supervisor"),
            (embedded.kafka, layout.kafka, "the embedded Kafka broker"),
            (embedded.nats, layout.nats, "the embedded NATS server"),
        ];
        for (_, port, name) in own.into_iter().filter(|(wanted, ..)| *wanted) {
            taken.extend(is_taken(port).map(|why| complaint(port, name, &why)));
        }
        if taken.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "{}\n  --port-base moves all of them: try `mesh up --port-base {}`",
                taken.join("\n  "),
                elsewhere(layout.base)
            );
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The ports that a process wants and cannot have.
pub(super) fn of_process(process: &Process) -> Vec<String> {
    let taken = |port, setting: &str| {
        let wanted_by = format!("{} ({setting})", process.label());
        is_taken(port).map(|why| complaint(port, &wanted_by, &why))
    };
    process.listeners.iter().filter_map(|listener| taken(listener.port, listener.setting)).collect()
}

fn complaint(port: u16, wanted_by: &str, why: &str) -> String {
    format!("port {port}, wanted by {wanted_by}, {why}")
}

fn is_taken(port: u16) -> Option<String> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Some("is taken by another process".into())
        }
        Err(error) => Some(format!("cannot be had: {error}")),
    }
}

/// Another base that is easy to remember.
fn elsewhere(base: u16) -> u16 {
    if base < 20_000 { base + 10_000 } else { base - 10_000 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_told_with_who_wanted_it_and_what_moves_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut layout = Layout::new(20_000, &BTreeMap::new(), false).unwrap();
        layout.processes.retain(|process| process.service == "orders");
        layout.processes[0].listeners[0].port = port;
        layout.kafka = port;
        let nothing = Embedded { kafka: false, nats: false };
        let error = check(&layout, nothing, false).await.unwrap_err().to_string();
        assert!(!error.contains("Kafka"), "{error}");
        assert!(
            error.contains(&format!("port {port}, wanted by orders (listen), is taken")),
            "{error}"
        );
        assert!(error.contains("--port-base 10000"), "{error}");
        let broker = Embedded { kafka: true, ..nothing };
        let error = check(&layout, broker, false).await.unwrap_err().to_string();
        assert!(error.contains("wanted by the embedded Kafka broker"), "{error}");
    }
}
