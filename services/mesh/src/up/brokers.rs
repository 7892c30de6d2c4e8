//! Kafka and NATS, embedded in this process or elsewhere, and the settings with which children reach them.

use std::net::SocketAddr;

use anyhow::Context;

use embedded_kafka::{Broker, Monitor, Settings};
use embedded_nats::{Limits, Server};

use super::{Options, layout::Layout};
use crate::{running::Kafka, topics};

/// The addresses and settings that every child gets.
#[derive(Clone, Debug)]
pub(super) struct Backing {
    pub(super) kafka: Kafka,
    /// The id of an embedded broker's log, which is empty at each start.
    pub(super) log_id: Option<String>,
    pub(super) nats: String,
    /// The database URL, with a placeholder for the service's name.
    pub(super) postgres: Option<String>,
    /// The time at which the clock of lens stands; `None` if the mesh runs, and is no replay.
    pub(super) clock: Option<String>,
    /// Further settings from the command line.
    pub(super) settings: Vec<(String, String)>,
}

/// The embedded brokers; dropping them ends them.
pub(super) struct Brokers {
    kafka: Option<Broker>,
    nats: Option<Server>,
}

impl Brokers {
    /// Starts the brokers that the options do not give an address for.
    pub(super) async fn start(
        options: &Options,
        layout: &Layout,
    ) -> anyhow::Result<(Self, Backing)> {
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let kafka = match &options.kafka {
            Some(_) => None,
            None => {
                let settings = Settings {
                    topics: topics::embedded(),
                    groups: Layout::groups(),
                    ..Settings::default()
                };
                Some(Broker::start(here(layout.kafka), settings).await?)
            }
        };
        let nats = match &options.nats {
            Some(_) => None,
            None => {
                let address = here(layout.nats);
                let server = Server::start(address, Limits::default()).await;
                Some(server.with_context(|| {
                    format!("the embedded NATS server cannot listen on {address}")
                })?)
            }
        };
        let backing = Backing {
            kafka: Kafka {
                brokers: options
                    .kafka
                    .clone()
                    .or_else(|| Some(kafka.as_ref()?.bootstrap_servers().to_owned()))
                    .unwrap_or_default(),
                embedded: kafka.is_some(),
            },
            log_id: kafka.is_some().then(|| uuid::Uuid::new_v4().to_string()),
            nats: options.nats.clone().unwrap_or_else(|| layout.nats_url()),
            postgres: options.postgres.clone(),
            clock: None,
            settings: options.settings.clone(),
        };
        Ok((Self { kafka, nats }, backing))
    }

    /// A monitor of the embedded Kafka broker, if there is one.
    pub(super) fn kafka(&self) -> Option<Monitor> {
        self.kafka.as_ref().map(Broker::monitor)
    }

    /// Ends the brokers, once no child needs them.
    pub(super) async fn stop(self) {
        if let Some(server) = self.nats {
            server.stop().await;
        }
        if let Some(broker) = self.kafka {
            broker.stop().await;
        }
    }
}
