//! `mesh export`: writes what lens has to a file, for somebody else or for later.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use clap::Args;

use crate::{
    address, output,
    recording::{Entry, Writer},
    status,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh export run.zip                                  the mesh of this folder
  mesh export run.zip --lens http://127.0.0.1:8080     lens behind the front door of another mesh
  mesh up --replay run.zip                             look at it, here or on another machine
  unzip -p run.zip traces.jsonl | head -1 | curl -H 'content-type: application/json' -d @- http://localhost:4318/v1/traces

The file has traces, log lines and metrics as OTLP's JSON, one request a line, as the OpenTelemetry Collector's file exporter
writes them. Metrics are in it twice: metrics.jsonl has a point of each series each 15 s, for other tools; metrics.snapshot has
every sample, for mesh up --replay. Attributes and log lines are in it as the services sent them: look before you publish it.";

/// Write the traces, log lines and metrics that lens has to a zip file.
#[derive(Args)]
pub(crate) struct Options {
    /// The zip file to write; it must not exist.
    #[arg(value_name = "FILE.zip")]
    file: PathBuf,
    /// The URL of lens, or of a gateway that has lens behind its front door. Default: the mesh of this folder.
    #[arg(long, visible_alias = "url", value_name = "URL", value_parser = address::http)]
    lens: Option<String>,
}

/// The longest wait for the next bytes of an answer.
const SILENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(export(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn export(options: &Options) -> anyhow::Result<()> {
    let lens = status::lens_at(options.lens.as_deref()).await?;
    let client = reqwest::Client::builder().no_proxy().read_timeout(SILENCE).build()?;
    let mut writer = Writer::create(&options.file)?;
    for entry in Entry::ALL {
        copy(&client, &format!("{lens}{}", entry.path()), entry, &mut writer).await?;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let manifest = writer.finish(u64::try_from(now.as_nanos())?)?;
    let bytes = std::fs::metadata(&options.file)?.len();
    output::line(format!(
        "{}: {}, {}",
        options.file.display(),
        output::megabytes(bytes),
        manifest.describe()
    ));
    Ok(())
}

async fn copy(
    client: &reqwest::Client,
    url: &str,
    entry: Entry,
    writer: &mut Writer,
) -> anyhow::Result<()> {
    let mut answer =
        client.get(url).send().await.with_context(|| format!("{url} does not answer"))?;
    ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
    let mut out = writer.begin(entry)?;
    while let Some(bytes) = answer.chunk().await.with_context(|| format!("cannot read {url}"))? {
        out.write(&bytes)?;
    }
    out.finish().with_context(|| format!("cannot read {url}"))
}
