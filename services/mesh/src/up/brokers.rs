//! The backing parts: embedded in this process, or real ones elsewhere.

use std::net::SocketAddr;

use anyhow::Context;

use super::{Options, layout::Layout, open};
use crate::{
    embedded::{
        kafka::{Broker, Monitor, Settings},
        nats::{Limits, Server},
    },
    running::Kafka,
};

/// What every child is told about them.
#[derive(Clone, Debug)]
pub(super) struct Backing {
    pub(super) kafka: Kafka,
    /// Names the log of an embedded broker, which begins empty with each start.
    pub(super) log_id: Option<String>,
    pub(super) nats: String,
    /// Every ledger's address, with a place for the service's name.
    pub(super) postgres: Option<String>,
    /// Further settings of the command line.
    pub(super) settings: Vec<(String, String)>,
}

/// The embedded ones; dropped, they are gone.
pub(super) struct Brokers {
    kafka: Option<Broker>,
    nats: Option<Server>,
}

impl Brokers {
    /// Starts what is not elsewhere.
    pub(super) async fn start(
        options: &Options,
        layout: &Layout,
    ) -> anyhow::Result<(Self, Backing)> {
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let kafka = match &options.kafka {
            Some(_) => None,
            None => {
                let settings = Settings { groups: Layout::groups(), ..Settings::default() };
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
            nats: options.nats.clone().unwrap_or_else(|| open::nats(layout)),
            postgres: options.postgres.clone(),
            settings: options.settings.clone(),
        };
        Ok((Self { kafka, nats }, backing))
    }

    /// How the embedded Kafka broker is, if there is one.
    pub(super) fn kafka(&self) -> Option<Monitor> {
        self.kafka.as_ref().map(Broker::monitor)
    }

    /// Ends them, once nobody needs them.
    pub(super) async fn stop(self) {
        if let Some(server) = self.nats {
            server.stop().await;
        }
        if let Some(broker) = self.kafka {
            broker.stop().await;
        }
    }
}
