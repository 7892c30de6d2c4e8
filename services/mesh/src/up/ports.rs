//! Reports ports that are taken, before anything starts, and again when a child could not open its own.

use std::{fmt, io::ErrorKind, net::TcpListener, time::Duration};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::{
    layout::{Layout, Process},
    owner,
};

/// How long the children of a killed supervisor may take to end: they notice the end of their standard input at once.
const LEFTOVERS: Duration = Duration::from_secs(3);

/// Which of the brokers run in this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Embedded {
    pub(super) kafka: bool,
    pub(super) nats: bool,
}

/// Fails if a port that this layout needs is taken; first waits for children of a killed supervisor to end.
pub(super) async fn check(
    layout: &Layout,
    embedded: Embedded,
    takes_over: bool,
) -> anyhow::Result<()> {
    let patience = if takes_over { LEFTOVERS } else { Duration::ZERO };
    let deadline = Instant::now() + patience;
    loop {
        let mut taken: Vec<_> = layout.processes.iter().flat_map(taken_by_others).collect();
        let own = [
            (true, layout.control, "the supervisor"),
            (embedded.kafka, layout.kafka, "the embedded Kafka broker"),
            (embedded.nats, layout.nats, "the embedded NATS server"),
        ];
        for (_, port, name) in own.into_iter().filter(|(wanted, ..)| *wanted) {
            taken.extend(why_taken(port).map(|why| PortConflict {
                port,
                wanted_by: name.into(),
                why,
            }));
        }
        if taken.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("{}; `mesh up --port-base {}` has others", summary(&taken), elsewhere(layout));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A port that is taken.
struct PortConflict {
    port: u16,
    wanted_by: String,
    why: String,
}

impl fmt::Display for PortConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}, wanted by {}, {}", self.port, self.wanted_by, self.why)
    }
}

/// One line about the ports that a process needs and cannot open.
pub(super) fn of_process(process: &Process) -> Option<String> {
    let taken = taken_by_others(process);
    (!taken.is_empty()).then(|| summary(&taken))
}

fn taken_by_others(process: &Process) -> Vec<PortConflict> {
    let taken = |port, setting: &str| {
        let wanted_by = format!("{} ({setting})", process.label());
        why_taken(port).map(|why| PortConflict { port, wanted_by, why })
    };
    process.listeners.iter().filter_map(|listener| taken(listener.port, listener.setting)).collect()
}

/// One line for all ports: another mesh takes twenty, and one of them says as much.
fn summary(taken: &[PortConflict]) -> String {
    let (first, rest) = taken.split_first().expect("there is a reason to tell");
    let ports: Vec<_> = rest.iter().map(|one| one.port.to_string()).collect();
    match ports.len() {
        0 => first.to_string(),
        1..=3 => format!("{first} (also {})", ports.join(", ")),
        more => format!("{first} (also {} and {} more)", ports[..2].join(", "), more - 2),
    }
}

fn why_taken(port: u16) -> Option<String> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let owner = owner::of(port).unwrap_or_else(|| "another process".into());
            Some(format!("is taken by {owner}"))
        }
        Err(error) => Some(format!("cannot be had: {error}")),
    }
}

/// Another port base that is easy to remember, and whose ports seem to be free.
fn elsewhere(layout: &Layout) -> u16 {
    let base = layout.base;
    let highest = layout.processes.iter().flat_map(|process| &process.listeners);
    let highest = highest.map(|listener| listener.port).max().unwrap_or(base).max(layout.nats);
    let candidates = (1..=5).flat_map(|step| {
        [base.checked_add(step * 10_000), base.checked_sub(step * 10_000)].into_iter().flatten()
    });
    let is_free = |candidate: &u16| {
        let end = candidate.checked_add(highest - base).filter(|_| *candidate >= 1_024);
        end.is_some_and(|end| {
            (*candidate..=end).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        })
    };
    candidates.into_iter().find(is_free).unwrap_or(if base < 20_000 {
        base + 10_000
    } else {
        base - 10_000
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_an_error_with_the_service_and_the_option_that_moves_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut layout = Layout::new(20_000, &BTreeMap::new(), false).unwrap();
        layout.processes.retain(|process| process.service == "orders");
        layout.processes[0].listeners[0].port = port;
        layout.kafka = port;
        let nothing = Embedded { kafka: false, nats: false };
        let error = check(&layout, nothing, false).await.unwrap_err().to_string();
        assert!(!error.contains("Kafka"), "{error}");
        let expected = format!("port {port}, wanted by orders (listen), is taken by ");
        assert!(error.starts_with(&expected) && !error.contains('\n'), "{error}");
        assert!(error.contains("--port-base"), "{error}");
        if cfg!(target_os = "linux") {
            let this = format!("process {} (", std::process::id());
            assert!(error.contains(&this), "{error}");
        }
        let broker = Embedded { kafka: true, ..nothing };
        let error = check(&layout, broker, false).await.unwrap_err().to_string();
        assert!(error.contains(&format!("(also {port})")), "{error}");
        layout.processes.clear();
        let error = check(&layout, broker, false).await.unwrap_err().to_string();
        assert!(error.contains("wanted by the embedded Kafka broker"), "{error}");
    }

    #[test]
    fn however_many_are_taken_it_is_one_line() {
        let taken =
            |port| PortConflict { port, wanted_by: "orders".into(), why: "is taken".into() };
        let all: Vec<_> = (8080..8100).map(taken).collect();
        assert_eq!(
            summary(&all),
            "port 8080, wanted by orders, is taken (also 8081, 8082 and 17 more)"
        );
    }
}
