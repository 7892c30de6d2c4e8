//! `mesh status`: asks the supervisor which processes run here.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use chassis::text;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{output, running::Running};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh status
  mesh status --json | jq '.services[] | select(.ready | not)'";

/// Show the processes of the mesh in this folder: addresses, restarts, memory.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The supervisor's answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Every process, the supervisor last.
    pub(crate) services: Vec<Process>,
}

/// One process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The service that it runs; replicas share a name.
    pub(crate) service: String,
    /// `None` while it is not running, before its next start.
    pub(crate) pid: Option<u32>,
    /// Whether its own `/readyz` says now that it is ready.
    pub(crate) ready: bool,
    /// How often it was restarted.
    pub(crate) restarts: u64,
    /// Its HTTP address.
    pub(crate) http: Option<String>,
    /// Its gRPC address.
    pub(crate) grpc: Option<String>,
    /// Its port for operators.
    pub(crate) admin: Option<String>,
    /// Its proportional set size: the memory that would be free without it.
    pub(crate) memory_bytes: u64,
    /// The parts that do not work although the process runs.
    pub(crate) degraded: Vec<Degraded>,
}

/// A part that does not work, as in `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Degraded {
    /// The name of the part.
    pub(crate) name: String,
    /// The reason why it does not work.
    pub(crate) reason: String,
    /// Since when it does not work, RFC 3339.
    pub(crate) since: String,
}

/// The maximum length of a reason: somewhat more than one line of a terminal.
const REASON: usize = 200;
/// Longer than the supervisor waits for its children's answers.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let running = Running::here()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(ask(&running))?;
    if options.json {
        output::json(&report)?
    } else {
        print(&report)
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the supervisor for its report.
pub(crate) async fn ask(running: &Running) -> anyhow::Result<Report> {
    let url = format!("{}/status", running.control);
    let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
    let answer = client.get(&url).send().await;
    let answer = answer.with_context(|| {
        let pid = running.pid;
        format!("the supervisor of this folder (process {pid}) does not answer; `mesh up` takes over what it left")
    })?;
    answer.json().await.with_context(|| format!("{url} is no supervisor of ours"))
}

/// The address of lens in this folder's mesh.
pub(crate) async fn lens() -> anyhow::Result<String> {
    let report = ask(&Running::here()?).await?;
    let lens = report.services.into_iter().find(|process| process.service == "lens");
    lens.and_then(|lens| lens.http).context("no lens runs here")
}

/// The address of lens that `--lens` gives, without a slash at its end, or else that of this folder's mesh.
pub(crate) async fn lens_at(given: Option<&str>) -> anyhow::Result<String> {
    match given {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => lens().await.context("--lens says where one is"),
    }
}

fn print(report: &Report) {
    let mut table = output::Table::new(&[
        "service", "pid", "ready", "restarts", "http", "grpc", "admin", "memory",
    ]);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    for process in &report.services {
        table.row([
            process.service.clone(),
            process.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            if process.ready { "yes" } else { "no" }.into(),
            process.restarts.to_string(),
            or_none(&process.http),
            or_none(&process.grpc),
            or_none(&process.admin),
            output::megabytes(process.memory_bytes),
        ]);
    }
    output::line(table.text());
    let sum = report.services.iter().map(|process| process.memory_bytes).sum();
    for process in &report.services {
        for Degraded { name, reason, since } in &process.degraded {
            let (service, reason) = (&process.service, text::printable(reason, REASON));
            output::line(format_args!("{service}: degraded since {since}: {name}: {reason}"));
        }
    }
    output::line(format_args!("\n{} processes, {}", report.services.len(), output::megabytes(sum)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_what_others_rely_on() {
        let process = Process {
            service: "orders".into(),
            pid: Some(7),
            ready: true,
            restarts: 0,
            http: None,
            grpc: Some("http://127.0.0.1:8103".into()),
            admin: Some("http://127.0.0.1:8093".into()),
            memory_bytes: 5_000_000,
            degraded: vec![Degraded {
                name: "outbox".into(),
                reason: "refused".into(),
                since: "2026-01-01T00:00:00Z".into(),
            }],
        };
        let written = serde_json::to_value(Report { services: vec![process] }).unwrap();
        let expected = serde_json::json!({"services": [{
            "service": "orders", "pid": 7, "ready": true, "restarts": 0, "http": null,
            "grpc": "http://127.0.0.1:8103", "admin": "http://127.0.0.1:8093", "memory_bytes": 5_000_000,
            "degraded": [{"name": "outbox", "reason": "refused", "since": "2026-01-01T00:00:00Z"}],
        }]});
        assert_eq!(written, expected);
    }
}
