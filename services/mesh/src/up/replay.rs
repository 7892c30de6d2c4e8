//! `mesh up --replay`: shows a recorded run instead of running one.
//!
//! Of the services, only lens and the gateway with the front door are started. Lens gets the run's traces and log lines over OTLP,
//! and its metrics as a file; its clock stands at the end of the run, so that queries without a time show what was to be seen then.

use std::{fs, path::Path};

use anyhow::{Context, bail};

use super::{
    folder::Folder,
    layout::{Layout, Protocol},
    line::Level,
    log::{Log, SUPERVISOR},
};
use crate::{import, output, recording::Reader};

/// The services that show a run.
pub(super) const SERVICES: [&str; 2] = ["lens", "gateway"];

/// The recorded run.
pub(super) struct Replay {
    reader: Reader,
}

impl Replay {
    /// Opens the file.
    ///
    /// # Errors
    /// It is no recorded run.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { reader: Reader::open(path)? })
    }

    /// The time at which the clock of lens stands.
    pub(super) fn clock(&self) -> &str {
        &self.reader.manifest().to
    }

    /// Puts the metrics where lens reads them at its start.
    pub(super) fn prepare(&mut self, folder: &Folder) -> anyhow::Result<()> {
        let path = folder.replay()?.join("metrics");
        if let Some(metrics) = self.reader.snapshot()? {
            fs::write(&path, metrics)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Sends traces and log lines to lens; returns whether that worked.
    pub(super) async fn load(&mut self, layout: &Layout, log: &Log) -> bool {
        match self.send(layout).await {
            Ok(sent) => {
                log.say(SUPERVISOR, Level::Info, sent.describe());
                true
            }
            Err(error) => {
                log.say(SUPERVISOR, Level::Error, format!("{error:#}"));
                false
            }
        }
    }

    async fn send(&mut self, layout: &Layout) -> anyhow::Result<import::Sent> {
        let Some(lens) = layout.addresses("lens", Protocol::Http).into_iter().next() else {
            bail!("no lens was started")
        };
        import::send(&mut self.reader, &lens).await
    }

    /// What a user can open.
    pub(super) fn describe(&self, layout: &Layout) -> String {
        let gateway = layout.addresses("gateway", Protocol::Http).into_iter().next();
        let gateway = gateway.unwrap_or_default();
        let mut table = output::Table::new(&[]);
        for (what, path, purpose) in [
            ("lens", "/lens/v1/flows", "the last orders of the run"),
            ("", "/lens/v1/topology", "who talked to whom in its last minute"),
            ("", "/lens/api/traces?service=gateway", "traces, as Jaeger serves them"),
            ("metrics", "/prometheus/api/v1/query?query=up", "Prometheus' API, for Grafana"),
        ] {
            table.row([what, &format!("{gateway}{path}"), purpose]);
        }
        format!(
            "\n{}\n\n{}\n\nTry:  mesh trace ORDER|TRACE\n      mesh logs --level warn\n      mesh query 'up'\n",
            self.reader.manifest().describe(),
            table.text()
        )
    }
}
