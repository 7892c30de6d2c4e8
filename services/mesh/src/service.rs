//! `mesh <service>`: lists every service of the mesh, and runs one of them in this process.

use std::{
    io::{self, Read},
    process::ExitCode,
};

use anyhow::Context;
use chassis::{
    Identity,
    app::Settings,
    config::{ConfigErrors, Effective, Sources},
    database,
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde::{Deserialize, Serialize};

/// The commit that this program was built from; `unknown` if it was built without git.
pub(crate) const REVISION: &str = env!("GLASSMESH_COMMIT");

/// A service that this binary can run.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    run: fn(Vec<(String, String)>) -> ExitCode,
    /// Its effective configuration from these sources.
    pub(crate) effective: fn(&Sources) -> Result<Vec<Effective>, ConfigErrors>,
    /// Reads the configuration of its database, if the service publishes events.
    pub(crate) database: Option<Outbox>,
}

/// Reads the configuration of the database with a service's outbox.
pub(crate) type Outbox = fn(&Sources) -> Result<database::Config, ConfigErrors>;

macro_rules! services {
    (@database $name:ident outbox) => {
        Some(|sources| {
            let loaded = chassis::app::load::<$name::Config>(identity(stringify!($name)), sources)?;
            Ok(loaded.service.database)
        })
    };
    (@database $name:ident) => {
        None
    };
    ($($(#[doc = $doc:literal])+ $Command:ident = $name:ident::wire $(with $outbox:ident)?: $example:literal),+ $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        /// Every service, in the order of their ports.
        pub(crate) const ALL: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                run: |overrides| chassis::run::<$name::Config>(identity(stringify!($name)), overrides, $name::wire),
                effective: |sources| {
                    let loaded = chassis::app::load::<$name::Config>(identity(stringify!($name)), sources)?;
                    Ok(loaded.effective)
                },
                database: services!(@database $name $($outbox)?),
            }
        ),+];

        #[derive(Subcommand)]
        pub(crate) enum Service {
            $(
                $(#[doc = $doc])+
                #[command(after_help = concat!("Examples:\n  ", $example))]
                $Command(Options),
            )+
        }

        impl Service {
            /// Runs it in this process until it receives a signal to stop.
            pub(crate) fn run(self) -> ExitCode {
                let (name, options) = match self {
                    $(Self::$Command(options) => (stringify!($name), options),)+
                };
                if options.supervised {
                    follow_supervisor();
                }
                match find(name) {
                    Ok(entry) => (entry.run)(options.overrides),
                    Err(_) => ExitCode::FAILURE,
                }
            }
        }
    };
}

services! {
    /// Run the gateway: REST for the outside, gRPC to the inside.
    Gateway = gateway::wire: "mesh gateway --set listen=0.0.0.0:8080",
    /// Run the catalog: what the shop sells.
    Catalog = catalog::wire: "mesh catalog --set database.url=postgres://catalog@db/catalog",
    /// Run the inventory: how much there is, and for whom it is held.
    Inventory = inventory::wire with outbox: "mesh inventory --set log.filter=debug",
    /// Run the orders: the saga from placed to completed or cancelled.
    Orders = orders::wire with outbox: "mesh orders --set kafka.brokers=kafka:9092",
    /// Run the payments: charges and refunds at a slow third party.
    Payments = payments::wire with outbox: "mesh payments --set provider=http://psp:8114",
    /// Run the shipping: parcels and their timers.
    Shipping = shipping::wire with outbox: "mesh shipping --set kafka.brokers=kafka:9092",
    /// Run the notifications: from durable events to live messages.
    Notifications = notifications::wire: "mesh notifications --set nats.url=nats://nats:4222",
    /// Run lens: traces, logs and the topology, in memory.
    Lens = lens::wire: "mesh lens --set listen=0.0.0.0:8087",
}

/// How a service is started.
#[derive(Args)]
pub(crate) struct Options {
    /// A setting to overrule, as `kafka.brokers=kafka:9092`; may be repeated. `mesh config <service>` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    overrides: Vec<(String, String)>,
    /// End when standard input does: it is held open by a supervisor for as long as that lives.
    #[arg(long, hide = true)]
    supervised: bool,
}

fn identity(name: &'static str) -> Identity {
    Identity { name, version: env!("CARGO_PKG_VERSION"), revision: REVISION, services: NAMES }
}

/// The settings that all services share, for commands that need them without being a service.
pub(crate) fn settings(sources: &Sources) -> Result<Settings, ConfigErrors> {
    /// No settings of its own.
    #[derive(Default, Serialize, Deserialize)]
    struct Nothing {}
    Ok(chassis::app::load::<Nothing>(identity("mesh"), sources)?.settings)
}

/// The service of this name.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Entry> {
    let expected = || format!("no service {name:?}; expected one of {}", NAMES.join(", "));
    ALL.iter().find(|entry| entry.name == name).with_context(expected)
}

/// Parses the name of a service on the command line.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(NAMES)
}

/// Parses `key=value` on the command line.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    if key.is_empty() {
        Err("expected key=value".into())
    } else {
        Ok((key.to_owned(), value.to_owned()))
    }
}

/// The supervisor keeps our standard input open and never writes to it. End of input means that the supervisor has ended.
fn follow_supervisor() {
    let follow = || {
        let mut rest = [0; 64];
        while !matches!(io::stdin().read(&mut rest), Ok(0) | Err(_)) {}
        // The embedded brokers have ended, too, so the service cannot drain. SIGKILL cannot be blocked or delayed.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .ok();
    };
    // If the thread cannot start, the service still works, but does not notice when the supervisor is killed.
    std::thread::Builder::new().name("supervisor".into()).spawn(follow).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_runs_with_no_file() {
        for entry in ALL {
            assert!((entry.effective)(&Sources::default()).is_ok(), "{}", entry.name);
        }
    }

    #[test]
    fn an_unknown_service_is_an_error_that_lists_the_known_ones() {
        let error = find("order").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("\"order\"") && error.contains("gateway, catalog"), "{error}");
    }

    #[test]
    fn an_override_is_a_key_and_a_value() {
        assert_eq!(pair("a.b=c=d").unwrap(), ("a.b".into(), "c=d".into()));
        assert!(pair("a.b").is_err() && pair("=x").is_err());
    }
}
