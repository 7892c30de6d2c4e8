//! The processes of a mesh and their ports.
//!
//! Every port has a fixed distance from the port base; with the base 8080, the ports are the services' own defaults.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};
pub(crate) use registry::Protocol;
use registry::{Port, SERVICES, Service, Stage};

/// The supervisor's control port.
const CONTROL: u16 = 9;
/// The embedded Kafka broker.
const KAFKA: u16 = 41;
/// The embedded NATS server.
const NATS: u16 = 42;
/// The distance between the ports of two replicas: more than any port above the base; two replicas fit into a hundred.
const STRIDE: u16 = 50;
/// More replicas on one machine show nothing new.
const MOST_REPLICAS: u16 = 8;

/// One port of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) setting: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

/// One process to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) service: &'static str,
    /// 1 for the first replica.
    pub(crate) replica: u16,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) calls: &'static [&'static str],
    pub(crate) ledger: bool,
    pub(crate) stage: Stage,
}

impl Process {
    /// `orders`, and `orders.2` for a second one.
    pub(crate) fn label(&self) -> String {
        match self.replica {
            1 => self.service.to_owned(),
            more => format!("{}.{more}", self.service),
        }
    }

    /// Its address for this protocol, if it has one.
    pub(crate) fn address(&self, protocol: Protocol) -> Option<String> {
        let found = self.listeners.iter().find(|listener| listener.protocol == protocol);
        found.map(|listener| local(listener.port))
    }
}

/// The HTTP URL of a port on this machine.
pub(crate) fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// All processes of a mesh with their ports.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) base: u16,
    pub(crate) control: u16,
    pub(crate) kafka: u16,
    pub(crate) nats: u16,
    pub(crate) processes: Vec<Process>,
}

impl Layout {
    /// The consumer groups of all services.
    pub(crate) fn groups() -> BTreeSet<String> {
        let consumers = SERVICES.iter().filter(|service| !service.consumes.is_empty());
        consumers.map(|service| service.name.to_owned()).collect()
    }

    /// Assigns ports above `base` to all processes.
    ///
    /// # Errors
    /// The ports do not fit, or a service that cannot share its database has several replicas.
    pub(crate) fn new(
        base: u16,
        replicas: &BTreeMap<String, u16>,
        shared_databases: bool,
    ) -> anyhow::Result<Self> {
        for (name, count) in replicas {
            let Some(service) = registry::find(name) else {
                bail!("--replicas {name}={count}: there is no such service")
            };
            ensure!(
                (1..=MOST_REPLICAS).contains(count),
                "--replicas {name}={count}: expected 1 to {MOST_REPLICAS}"
            );
            ensure!(
                *count == 1 || !service.ledger || shared_databases,
                "--replicas {name}={count}: replicas of {name} share a database, and a SQLite file has one writer; \
                 give them PostgreSQL with --postgres postgres://{{service}}:{{service}}@127.0.0.1:5432/{{service}}"
            );
            ensure!(
                *count == 1 || name != "lens",
                "--replicas {name}={count}: lens keeps what it knows in its own memory"
            );
        }
        let highest = u32::from(base) + u32::from((MOST_REPLICAS - 1) * STRIDE + NATS);
        ensure!(
            base > 0 && highest <= u32::from(u16::MAX),
            "--port-base {base}: expected 1 to {}",
            u32::from(u16::MAX) - (highest - u32::from(base))
        );
        let count = |service: &Service| replicas.get(service.name).copied().unwrap_or(1);
        let all = SERVICES
            .iter()
            .flat_map(|service| (1..=count(service)).map(move |replica| (service, replica)));
        let processes = all.map(|(service, replica)| process(service, replica, base)).collect();
        Ok(Self {
            base,
            control: base + CONTROL,
            kafka: base + KAFKA,
            nats: base + NATS,
            processes,
        })
    }

    /// The same layout with some of the services.
    pub(crate) fn only(&self, services: &[&str]) -> Self {
        let is_wanted = |process: &&Process| services.contains(&process.service);
        let processes = self.processes.iter().filter(is_wanted).cloned().collect();
        Self { processes, ..*self }
    }

    /// The URL of the embedded NATS server.
    pub(crate) fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats)
    }

    /// The addresses of all replicas of a service for this protocol.
    pub(crate) fn addresses(&self, service: &str, protocol: Protocol) -> Vec<String> {
        let replicas = self.processes.iter().filter(|process| process.service == service);
        replicas.filter_map(|process| process.address(protocol)).collect()
    }
}

fn process(service: &Service, replica: u16, base: u16) -> Process {
    let listener = |port: &Port| Listener {
        setting: port.setting,
        protocol: port.protocol,
        port: base + port.offset + (replica - 1) * STRIDE,
    };
    Process {
        service: service.name,
        replica,
        listeners: service.ports.iter().map(listener).collect(),
        calls: service.calls,
        ledger: service.ledger,
        stage: service.stage,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn replicas(pairs: &[(&str, u16)]) -> BTreeMap<String, u16> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn no_two_things_have_the_same_port() {
        let eight: Vec<_> =
            SERVICES.iter().filter(|service| service.name != "lens").map(|s| (s.name, 8)).collect();
        let layout = Layout::new(registry::PORT_BASE, &replicas(&eight), true).unwrap();
        let mut ports = BTreeSet::from([layout.control, layout.kafka, layout.nats]);
        for listener in layout.processes.iter().flat_map(|process| &process.listeners) {
            assert!(ports.insert(listener.port), "{listener:?}");
        }
    }

    #[test]
    fn clients_get_all_replicas() {
        let layout = Layout::new(9000, &replicas(&[("orders", 2), ("gateway", 2)]), true).unwrap();
        assert_eq!(
            layout.addresses("orders", Protocol::Grpc),
            ["http://127.0.0.1:9023", "http://127.0.0.1:9073"]
        );
        assert_eq!(
            layout.addresses("gateway", Protocol::Http),
            ["http://127.0.0.1:9000", "http://127.0.0.1:9050"]
        );
        let labels: Vec<_> = layout.processes.iter().map(Process::label).collect();
        assert_eq!(labels[..2], ["gateway", "gateway.2"]);
    }

    #[test]
    fn a_service_that_cannot_be_replicated_is_refused_with_the_reason() {
        let refused = |name, count| {
            Layout::new(registry::PORT_BASE, &replicas(&[(name, count)]), false)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("orders", 2).contains("--postgres"));
        assert!(refused("order", 2).contains("no such service"));
        assert!(refused("gateway", 9).contains("expected 1 to 8"));
        assert!(refused("lens", 2).contains("memory"));
        assert!(
            Layout::new(registry::PORT_BASE, &replicas(&[("gateway", 2), ("orders", 1)]), false)
                .is_ok()
        );
        assert!(
            Layout::new(65_200, &replicas(&[]), false)
                .unwrap_err()
                .to_string()
                .contains("--port-base 65200")
        );
    }
}
