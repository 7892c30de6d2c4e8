//! `mesh services`: prints the registry of services.

use std::process::ExitCode;

use clap::Args;
use registry::{PORT_BASE, Protocol, Service};
use serde::Serialize;

use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh services                                       a table
  mesh services --json | jq -r '.[] | select(.database) | .name'";

/// List all services, with their ports, the services that they call, their databases and their topics.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.json {
        output::json(&registry::SERVICES.iter().map(Row::new).collect::<Vec<_>>())?;
    } else {
        output::line(table().text());
    }
    Ok(ExitCode::SUCCESS)
}

/// A service as JSON.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    /// When `mesh up` stops it.
    stage: &'static str,
    ports: Vec<Port>,
    calls: &'static [&'static str],
    database: bool,
    consumes: &'static [&'static str],
    publishes: &'static [&'static str],
    nats: bool,
}

#[derive(Serialize)]
struct Port {
    setting: &'static str,
    protocol: &'static str,
    /// The distance from the port base of `mesh up`.
    offset: u16,
    /// The default.
    port: u16,
}

impl Row {
    fn new(service: &Service) -> Self {
        let port = |port: &registry::Port| Port {
            setting: port.setting,
            protocol: port.protocol.as_str(),
            offset: port.offset,
            port: PORT_BASE + port.offset,
        };
        Self {
            name: service.name,
            stage: service.stage.as_str(),
            ports: service.ports.iter().map(port).collect(),
            calls: service.calls,
            database: service.ledger,
            consumes: service.consumes,
            publishes: service.publishes,
            nats: service.live,
        }
    }
}

fn table() -> output::Table {
    let mut table = output::Table::new(&[
        "service",
        "http",
        "grpc",
        "admin",
        "database",
        "nats",
        "calls",
        "consumes",
        "publishes",
    ]);
    for service in registry::SERVICES {
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let ports = |protocol: Protocol| {
            let of_it = service.ports.iter().filter(|port| port.protocol == protocol);
            let ports: Vec<_> = of_it.map(|port| (PORT_BASE + port.offset).to_string()).collect();
            or_none(ports.join(" "))
        };
        let yes = |is: bool| if is { "yes" } else { "-" }.to_owned();
        table.row([
            service.name.to_owned(),
            ports(Protocol::Http),
            ports(Protocol::Grpc),
            ports(Protocol::Admin),
            yes(service.ledger),
            yes(service.live),
            or_none(service.calls.join(" ")),
            or_none(service.consumes.join(" ")),
            or_none(service.publishes.join(" ")),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::service;

    fn wiring(service: &Service) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        std::fs::read_to_string(format!("{folder}/{}/src/lib.rs", service.name)).unwrap()
    }

    #[test]
    fn every_service_of_the_registry_is_a_command_and_the_other_way_round() {
        let commands: Vec<_> = service::ALL.iter().map(|entry| entry.name).collect();
        let rows: Vec<_> = registry::SERVICES.iter().map(|service| service.name).collect();
        assert_eq!(commands, rows);
    }

    /// A consumer group that is missing here would lose unread records when the embedded broker is full.
    #[test]
    fn the_registry_has_the_topics_that_a_service_consumes() {
        for service in registry::SERVICES {
            let wiring = wiring(service);
            let consumers =
                wiring.matches("app.consume").count() + wiring.matches("app.observe(").count();
            assert_eq!(service.consumes.len(), consumers, "{}", service.name);
        }
    }

    #[test]
    fn the_registry_has_the_services_that_a_service_calls() {
        for service in registry::SERVICES {
            let wiring = wiring(service);
            let called = wiring.split("app.channel(&config.").skip(1);
            let called: BTreeSet<_> = called.filter_map(|rest| rest.split(')').next()).collect();
            assert_eq!(called, service.calls.iter().copied().collect(), "{}", service.name);
        }
    }

    #[test]
    fn a_service_that_publishes_has_an_outbox_and_every_topic_has_one_publisher() {
        for entry in service::ALL {
            let publishes = registry::find(entry.name).is_some_and(|one| !one.publishes.is_empty());
            assert_eq!(entry.database.is_some(), publishes, "{}", entry.name);
        }
        let mut published: Vec<_> =
            registry::SERVICES.iter().flat_map(|one| one.publishes).copied().collect();
        published.sort_unstable();
        let mut all = proto::topics::ALL.to_vec();
        all.sort_unstable();
        assert_eq!(published, all);
        assert!(
            registry::SERVICES.iter().flat_map(|one| one.consumes).all(|topic| all.contains(topic))
        );
    }

    #[test]
    fn a_service_with_migrations_has_a_database() {
        for service in registry::SERVICES {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
            let migrations = std::path::Path::new(folder).join(service.name).join("migrations");
            assert_eq!(service.ledger, migrations.exists(), "{}", service.name);
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_service() {
        let lines = table().lines();
        assert_eq!(lines.len(), registry::SERVICES.len() + 1);
        let orders = lines.iter().find(|line| line.starts_with("orders")).unwrap();
        assert!(orders.contains("8103") && orders.contains("catalog inventory"), "{orders}");
    }
}
