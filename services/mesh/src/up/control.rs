//! The supervisor's control port: reports the processes and their states to commands on this machine.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Json, Router, extract::State, routing::get};
use embedded_kafka::{Full, Monitor};
use futures::future::join_all;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    layout::{Protocol, local},
    log::SUPERVISOR,
    memory,
    process::Supervised,
    ready,
};
use crate::status::{Degraded, Process, Report};

struct Control {
    port: u16,
    processes: Vec<Arc<Supervised>>,
    kafka: Option<Monitor>,
    client: reqwest::Client,
}

/// Connections at once: an operator or a script asks it now and then.
const CONNECTIONS: usize = 64;

/// Answers `GET /status` as long as the tasks live.
pub(super) async fn serve(
    tasks: &mut JoinSet<()>,
    port: u16,
    processes: Vec<Arc<Supervised>>,
    kafka: Option<Monitor>,
    client: reqwest::Client,
) -> anyhow::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("port {port}, wanted by the supervisor, cannot be had: --port-base moves it")
    })?;
    let control = Arc::new(Control { port, processes, kafka, client });
    let router = Router::new().route("/status", get(status)).with_state(control);
    tasks.spawn(chassis::http::serve_router(listener, router, CONNECTIONS));
    Ok(())
}

async fn status(State(control): State<Arc<Control>>) -> Json<Report> {
    let mut services =
        join_all(control.processes.iter().map(|process| one(process, &control.client))).await;
    let full = control.kafka.as_ref().and_then(Monitor::full);
    services.push(Process {
        service: SUPERVISOR.into(),
        pid: Some(std::process::id()),
        ready: services.iter().all(|process| process.ready),
        restarts: 0,
        http: Some(local(control.port)),
        grpc: None,
        admin: None,
        memory_bytes: memory_of(Some(std::process::id())).await,
        degraded: full.map(degraded).into_iter().collect(),
    });
    Json(Report { services })
}

/// The report when producers wait because one group is behind.
fn degraded(full: Full) -> Degraded {
    let Full { since, topic, group } = full;
    let group = group.unwrap_or_else(|| "no group".into());
    Degraded {
        name: "kafka".into(),
        reason: format!("the embedded broker is full until {group} has read {topic}"),
        since: humantime::format_rfc3339_millis(since).to_string(),
    }
}

async fn one(supervised: &Supervised, client: &reqwest::Client) -> Process {
    let state = supervised.state();
    let process = &supervised.process;
    let admin = process.address(Protocol::Admin);
    let answer = match (&admin, state.pid) {
        (Some(admin), Some(_)) => ready::ask(client, admin).await,
        _ => None,
    };
    Process {
        service: process.service.into(),
        pid: state.pid,
        ready: answer.as_ref().is_some_and(|answer| answer.ready),
        restarts: state.restarts,
        http: process.address(Protocol::Http),
        grpc: process.address(Protocol::Grpc),
        admin,
        memory_bytes: memory_of(state.pid).await,
        degraded: answer.map(|answer| answer.degraded).unwrap_or_default(),
    }
}

/// Measured on a blocking thread: the kernel walks through all pages of the process, which takes milliseconds.
async fn memory_of(pid: Option<u32>) -> u64 {
    let measured = tokio::task::spawn_blocking(move || pid.and_then(memory::of)).await;
    measured.ok().flatten().unwrap_or_default()
}
