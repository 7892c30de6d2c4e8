//! All parts of a mesh, from plan to end.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chassis::config::Sources;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Options, addresses,
    brokers::{Backing, Brokers},
    control, environment,
    layout::{Layout, Protocol, local},
    line::Level,
    log::{Log, SUPERVISOR},
    preflight::{self, Mistakes},
    process::Supervised,
    ready, replay, stop,
};
use crate::{
    load::{Generator, Mix, Percentiles, Plan, Report, milliseconds},
    running::Running,
    service, topics,
};

pub(super) struct Mesh {
    layout: Layout,
    brokers: Brokers,
    backing: Backing,
    processes: Vec<Arc<Supervised>>,
    client: reqwest::Client,
}

/// How long the load waits for open orders when it is stopped: the next start finishes the others.
const GRACE: Duration = Duration::from_secs(5);
/// How often the load logs its state.
const TELLS: Duration = Duration::from_secs(10);

impl Mesh {
    /// Starts the brokers, and computes the environment of every child.
    pub(super) async fn plan(
        options: &Options,
        layout: Layout,
        clock: Option<String>,
        log: &Log,
    ) -> anyhow::Result<Result<Self, Mistakes>> {
        let (brokers, backing) = Brokers::start(options, &layout).await?;
        let backing = Backing { clock, ..backing };
        // Of a replay, some services are only addresses.
        let all = layout;
        let layout = match backing.clock {
            Some(_) => all.only(&replay::SERVICES),
            None => all.clone(),
        };
        if let Some(brokers) = &options.kafka
            && let Err(error) = make_topics(brokers).await
        {
            // The topics may exist although this client may not create any.
            log.say(SUPERVISOR, Level::Warn, format!("{error:#}"));
        }
        let mut environments = Vec::new();
        for process in &layout.processes {
            let chosen = preflight::chosen(process.service)?;
            environments.push(environment::of(process, &all, &backing, &chosen));
        }
        let children = layout.processes.iter().zip(environments.iter().map(Vec::as_slice));
        if let Err(mistakes) = preflight::check(children)? {
            return Ok(Err(mistakes));
        }
        let program = std::env::current_exe().context("cannot find our own executable")?;
        let client = ready::client()?;
        let child = |(process, environment)| {
            Arc::new(Supervised::new(
                process,
                program.clone(),
                environment,
                log.clone(),
                client.clone(),
            ))
        };
        let processes = layout.processes.iter().cloned().zip(environments).map(child).collect();
        Ok(Ok(Self { layout, brokers, backing, processes, client }))
    }

    /// Starts every child at once, and the control port that reports them.
    pub(super) async fn start(&self, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
        let (processes, kafka) = (self.processes.clone(), self.brokers.kafka());
        control::serve(tasks, self.layout.control, processes, kafka, self.client.clone()).await?;
        for process in &self.processes {
            tasks.spawn(Arc::clone(process).keep());
        }
        Ok(())
    }

    /// The addresses of the mesh, for the other commands.
    pub(super) fn running(&self) -> Running {
        let grpc = self.layout.processes.iter().map(|process| {
            (process.service.to_owned(), self.layout.addresses(process.service, Protocol::Grpc))
        });
        Running {
            pid: std::process::id(),
            port_base: self.layout.base,
            control: local(self.layout.control),
            gateway: self.layout.addresses("gateway", Protocol::Http),
            grpc: grpc.filter(|(_, addresses)| !addresses.is_empty()).collect(),
            kafka: self.backing.kafka.clone(),
            nats: self.backing.nats.clone(),
        }
    }

    /// Its processes and their ports.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The addresses that a user can open.
    pub(super) fn describe(&self) -> String {
        addresses::describe(&self.layout, &self.backing)
    }

    /// Returns once every process has been ready.
    pub(super) async fn until_ready(&self) {
        for process in &self.processes {
            // This fails if the process has ended for good; then there is nothing to wait for.
            process.watch().wait_for(|state| state.ready).await.ok();
        }
    }

    /// Returns once a process has refused its configuration; the check before the start does not find every mistake.
    pub(super) async fn until_refused(&self) {
        let refused = self.processes.iter().map(|process| {
            let mut state = process.watch();
            Box::pin(async move {
                if state.wait_for(|state| state.refused).await.is_err() {
                    std::future::pending().await
                }
            })
        });
        futures::future::select_all(refused).await;
    }

    /// The processes that are not ready, each with what it waits for.
    pub(super) fn missing(&self) -> Vec<(String, String)> {
        let unready = self
            .processes
            .iter()
            .map(|process| (process.label(), process.state()))
            .filter(|(_, state)| !state.ready);
        unready.map(|(label, state)| (label.to_owned(), state.missing.join(", "))).collect()
    }

    /// Places orders until it is stopped.
    pub(super) fn load(
        &self,
        rate: f64,
        log: Log,
        mut enough: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<> {
        let (gateway, nats) =
            (self.layout.addresses("gateway", Protocol::Http), Some(self.backing.nats.clone()));
        let plan =
            Plan { rate, duration: None, gateway, nats, mix: Mix::only("tok_ok"), grace: GRACE };
        async move {
            let tell = |reason| log.say(SUPERVISOR, Level::Info, format!("load: {reason}"));
            let generator = match Generator::prepare(plan, tell).await {
                Ok(generator) => generator,
                Err(error) => {
                    return log.say(SUPERVISOR, Level::Error, format!("no load: {error:#}"));
                }
            };
            let stop = async move {
                enough.wait_for(|enough| *enough).await.ok();
            };
            let report = generator
                .run(stop, TELLS, |report| log.say(SUPERVISOR, Level::Info, brief(report)))
                .await;
            report.lines().into_iter().for_each(|line| log.plain(line));
        }
    }

    /// Stops every child in order; returns whether all ended cleanly.
    pub(super) async fn drain(&self, log: &Log) -> bool {
        stop::drain(&self.processes, log).await
    }

    /// Kills every child now.
    pub(super) async fn kill(&self) {
        stop::kill(&self.processes).await;
    }

    /// Ends the brokers, once no child needs them.
    pub(super) async fn end(self) {
        self.brokers.stop().await;
    }
}

fn brief(report: &Report) -> String {
    let refused: u64 = report.refused.values().sum();
    let p99 = |ms: &Option<Percentiles>| milliseconds(ms.as_ref().map(|ms| ms.p99));
    format!(
        "load: {} accepted, {refused} refused, {} ended; accepted p99 {}, completed p99 {}",
        report.accepted,
        report.completed + report.cancelled,
        p99(&report.accepted_ms),
        p99(&report.completed_ms),
    )
}

/// Creates the missing topics, with the services' own Kafka settings.
async fn make_topics(brokers: &str) -> anyhow::Result<()> {
    let mut kafka = service::settings(&Sources::of_process(Vec::new()))?.kafka;
    brokers.clone_into(&mut kafka.brokers);
    topics::make(&kafka, topics::BROKER_TIMEOUT).await.map(drop)
}
