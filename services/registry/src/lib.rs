//! The registry of services: one row for each, with its ports, calls, database and topics.
//!
//! ```text
//!  SERVICES ──▶ mesh: layout and stop order of `mesh up`, `mesh services`     grafana: recorded rules, colours
//!     │    └──▶ tests: stories, bundle, Kubernetes rules
//!     └───────▶ tests/drift/registry.rs: writes the lists in deploy/ and in scripts, and fails in CI where one differs
//! ```
//!
//! It depends on nothing, so that everything can depend on it.

/// A service of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name of its crate, its process, its consumer group and its database.
    pub name: &'static str,
    /// When `mesh up` stops it.
    pub stage: Stage,
    /// The ports on which it listens.
    pub ports: &'static [Port],
    /// The services that it calls over gRPC; the settings with their addresses have the same names.
    pub calls: &'static [&'static str],
    /// Whether it has a database of its own.
    pub ledger: bool,
    /// The topics that it consumes.
    pub consumes: &'static [&'static str],
    /// The topics that it publishes.
    pub publishes: &'static [&'static str],
    /// Whether it uses NATS.
    pub live: bool,
}

/// The services of one stage stop together, in the direction in which orders flow: each stage once no earlier one sends it
/// anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Takes requests from outside.
    Edge,
    /// Does the business. All may stop at the same time: events that one has not sent to another yet are in its outbox.
    Business,
    /// Turns events into live messages.
    Bridge,
    /// Receives the telemetry of all others, and so sees them stop.
    Telemetry,
}

impl Stage {
    /// All stages in the order in which they stop.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Business, Self::Bridge, Self::Telemetry];

    /// The stage as a word for output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Business => "business",
            Self::Bridge => "bridge",
            Self::Telemetry => "telemetry",
        }
    }
}

/// The port base of `mesh up` at which every service has its own default ports.
pub const PORT_BASE: u16 = 8080;

/// One port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The setting that changes it.
    pub setting: &'static str,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its distance from the port base of `mesh up`; with [`PORT_BASE`], the port is the service's own default.
    pub offset: u16,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP for clients.
    Http,
    /// gRPC.
    Grpc,
    /// HTTP for operators: metrics, readiness, configuration.
    Admin,
}

impl Protocol {
    /// The protocol as a word for output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Admin => "admin",
        }
    }
}

impl Service {
    /// Whether it publishes or consumes events.
    pub const fn uses_kafka(&self) -> bool {
        !self.consumes.is_empty() || !self.publishes.is_empty()
    }

    /// The services that call it over gRPC.
    pub fn callers(&self) -> impl Iterator<Item = &'static Self> {
        let name = self.name;
        SERVICES.iter().filter(move |other| other.calls.contains(&name))
    }
}

/// The service of this name.
pub fn find(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The names of all services except the telemetry backend: those that take part in an order.
pub fn of_the_mesh() -> impl Iterator<Item = &'static str> + Clone {
    SERVICES.iter().filter(|one| one.stage != Stage::Telemetry).map(|one| one.name)
}

const fn http(setting: &'static str, offset: u16) -> Port {
    Port { setting, protocol: Protocol::Http, offset }
}

const fn grpc(setting: &'static str, offset: u16) -> Port {
    Port { setting, protocol: Protocol::Grpc, offset }
}

const fn admin(offset: u16) -> Port {
    Port { setting: "admin.listen", protocol: Protocol::Admin, offset }
}

/// Every service, in the order of their admin ports, which have no gaps.
pub const SERVICES: &[Service] = &[
    Service {
        name: "gateway",
        stage: Stage::Edge,
        ports: &[http("listen", 0), admin(10)],
        calls: &["catalog", "inventory", "orders"],
        ledger: false,
        consumes: &[],
        publishes: &[],
        live: true,
    },
    Service {
        name: "catalog",
        stage: Stage::Business,
        ports: &[grpc("listen", 21), admin(11)],
        calls: &[],
        ledger: true,
        consumes: &[],
        publishes: &[],
        live: false,
    },
    Service {
        name: "inventory",
        stage: Stage::Business,
        ports: &[grpc("listen", 22), admin(12)],
        calls: &[],
        ledger: true,
        consumes: &["orders.events"],
        publishes: &["inventory.events"],
        live: false,
    },
    Service {
        name: "orders",
        stage: Stage::Business,
        ports: &[grpc("listen", 23), admin(13)],
        calls: &["catalog", "inventory"],
        ledger: true,
        consumes: &["inventory.events", "payments.events", "shipments.events"],
        publishes: &["orders.events"],
        live: false,
    },
    Service {
        name: "payments",
        stage: Stage::Business,
        ports: &[grpc("listen", 24), http("provider_listen", 34), admin(14)],
        calls: &[],
        ledger: true,
        consumes: &["orders.events"],
        publishes: &["payments.events"],
        live: false,
    },
    Service {
        name: "shipping",
        stage: Stage::Business,
        ports: &[grpc("listen", 25), admin(15)],
        calls: &[],
        ledger: true,
        consumes: &["orders.events"],
        publishes: &["shipments.events"],
        live: false,
    },
    Service {
        name: "notifications",
        stage: Stage::Bridge,
        ports: &[admin(16)],
        calls: &[],
        ledger: false,
        consumes: &["inventory.events", "orders.events", "payments.events", "shipments.events"],
        publishes: &[],
        live: true,
    },
    Service {
        name: "lens",
        stage: Stage::Telemetry,
        ports: &[http("listen", 7), grpc("otlp_listen", 27), admin(17)],
        calls: &[],
        ledger: false,
        consumes: &[],
        publishes: &[],
        live: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts count the admin ports.
    #[test]
    fn admin_ports_follow_each_other_from_ten_on() {
        let admin = |service: &Service| {
            let mut ports = service.ports.iter();
            ports.find(|port| port.protocol == Protocol::Admin).map(|port| port.offset)
        };
        let offsets: Vec<_> = SERVICES.iter().filter_map(admin).map(usize::from).collect();
        assert_eq!(offsets, (10..10 + SERVICES.len()).collect::<Vec<_>>());
    }

    #[test]
    fn every_called_service_exists() {
        let called = SERVICES.iter().flat_map(|service| service.calls);
        assert!(called.copied().all(|name| find(name).is_some()));
    }
}
