//! `mesh import`: sends a recorded run to a lens.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Deserialize;

use crate::{
    address, output,
    recording::{Counts, Entry, Reader},
    status,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh import run.zip                                  to lens of the mesh in this folder
  mesh import run.zip --lens http://127.0.0.1:8087
  mesh up --replay run.zip                             look at the run alone, as it was at its end, with its metrics

Traces and log lines keep their times, so they are not among the newest of a running mesh, and its topology shows only calls of the
last five minutes. Metrics stay in the file: lens keeps those of the last 30 minutes, which belong to the mesh that runs.";

/// Send the traces and log lines of a file that `mesh export` wrote to lens.
#[derive(Args)]
pub(crate) struct Options {
    /// The zip file.
    #[arg(value_name = "FILE.zip")]
    file: PathBuf,
    /// The URL of lens itself: a front door passes on no OTLP. Default: lens of the mesh in this folder.
    #[arg(long, visible_alias = "url", value_name = "URL", value_parser = address::http)]
    lens: Option<String>,
}

/// The longest wait for an answer: lens takes a request within milliseconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(import(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn import(options: &Options) -> anyhow::Result<()> {
    let mut reader = Reader::open(&options.file)?;
    let lens = status::lens_at(options.lens.as_deref()).await?;
    let sent = send(&mut reader, &lens).await?;
    output::line(sent.describe());
    Ok(())
}

/// What was sent to lens.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    counts: Counts,
    /// What lens has refused.
    refused: u64,
    /// Why it refused the first of them.
    reason: String,
}

impl Sent {
    pub(crate) fn describe(&self) -> String {
        let Counts { spans, log_lines, .. } = self.counts;
        let sent = format!("sent {spans} spans and {log_lines} log lines to lens");
        match self.refused {
            0 => sent,
            refused => format!("{sent}, which refused {refused} of them: {}", self.reason),
        }
    }
}

/// Sends the traces and log lines of a run to lens.
///
/// # Errors
/// The file is wrong, or lens does not take it.
pub(crate) async fn send(reader: &mut Reader, lens: &str) -> anyhow::Result<Sent> {
    let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
    let mut sent = Sent::default();
    for (entry, path) in [(Entry::Traces, "/v1/traces"), (Entry::Logs, "/v1/logs")] {
        let url = format!("{lens}{path}");
        let Sent { counts, refused, reason } = &mut sent;
        let lines = reader.lines(entry, counts, async |line| {
            let answer = post(&client, &url, line).await?;
            *refused += answer.count();
            if reason.is_empty() {
                reason.clone_from(&answer.partial_success.error_message);
            }
            Ok(())
        });
        lines.await?;
    }
    Ok(sent)
}

/// OTLP's answer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    partial_success: Partial,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Partial {
    rejected_spans: String,
    rejected_log_records: String,
    error_message: String,
}

impl Answer {
    fn count(&self) -> u64 {
        let Partial { rejected_spans, rejected_log_records, .. } = &self.partial_success;
        [rejected_spans, rejected_log_records]
            .iter()
            .filter_map(|count| count.parse::<u64>().ok())
            .sum()
    }
}

async fn post(client: &reqwest::Client, url: &str, line: Vec<u8>) -> anyhow::Result<Answer> {
    let request = client.post(url).header("content-type", "application/json").body(line);
    let answer = request.send().await.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    let body = answer.bytes().await.with_context(|| format!("cannot read {url}"))?;
    ensure!(
        status.is_success(),
        "{url} answered {status}: {}",
        String::from_utf8_lossy(&body).chars().take(LONGEST_QUOTE).collect::<String>()
    );
    serde_json::from_slice(&body).with_context(|| format!("cannot read {url}"))
}

/// The maximum of characters of an error's body that is shown.
const LONGEST_QUOTE: usize = 300;
