//! How a mesh stops: in the direction in which orders flow, each service once no other sends it anything.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use registry::Stage;
use tokio::time::timeout;

use super::{
    line::Level,
    log::Log,
    process::{Desired, Supervised},
};

/// Longer than the deadline that a service sets itself (20 s), and the flush of its telemetry.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Drains everything in order; returns whether all ended cleanly.
pub(super) async fn drain(processes: &[Arc<Supervised>], log: &Log) -> bool {
    let mut clean = true;
    for stage in Stage::ALL {
        let members: Vec<_> = processes.iter().filter(|one| one.process.stage == stage).collect();
        for member in &members {
            member.set_desired(Desired::Drained);
        }
        let ends = join_all(members.iter().map(|member| end(member, log))).await;
        clean &= ends.into_iter().all(|end| end);
    }
    clean
}

/// Kills everything now.
pub(super) async fn kill(processes: &[Arc<Supervised>]) {
    for process in processes {
        process.set_desired(Desired::Killed);
    }
    join_all(processes.iter().map(|process| ended(process))).await;
}

async fn end(process: &Supervised, log: &Log) -> bool {
    if let Ok(clean) = timeout(DRAIN_TIMEOUT, ended(process)).await {
        return clean;
    }
    log.say(
        process.label(),
        Level::Error,
        format!("did not end within {} s and is killed", DRAIN_TIMEOUT.as_secs()),
    );
    process.set_desired(Desired::Killed);
    ended(process).await;
    false
}

async fn ended(process: &Supervised) -> bool {
    let mut state = process.watch();
    let state = state.wait_for(|state| state.ended.is_some()).await;
    state.is_ok_and(|state| state.ended == Some(true))
}
