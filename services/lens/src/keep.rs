//! Keeps traces, log lines and metrics in files, so that they survive a restart of lens.
//!
//! ```text
//!  start ─▶ restore metrics, log lines ─▶ ready ─▶ restore traces … each minute, and once drained ─▶ save: <folder>/traces, /metrics
//! ```
//!
//! What was kept goes through the same intake as what arrives, so flows, topology and limits follow from it. A file that cannot be
//! read is reported once, and the next save replaces it: lens starts without it.

mod file;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::spawn_blocking, time::sleep};

use self::file::{Error, Writer};
use crate::{
    clock::Clock,
    config,
    intake::Intake,
    store::{Loader, Part, Store, VERSION},
};

/// The files of a folder, and what they are kept of.
pub(crate) struct Keeper {
    folder: PathBuf,
    size: usize,
    every: Duration,
    store: Arc<Store>,
    series: Arc<timeseries::Store>,
    intake: Arc<Intake>,
    clock: Clock,
    /// The revision of the traces and log lines that are in the file. The lock also makes saves follow each other.
    saved: Mutex<Option<u64>>,
}

impl Keeper {
    /// The keeper of these settings; `None` if nothing is to be kept.
    pub(crate) fn new(
        config: &config::Keep,
        store: &Arc<Store>,
        series: &Arc<timeseries::Store>,
        intake: &Arc<Intake>,
        clock: Clock,
    ) -> Option<Arc<Self>> {
        let keeper = Self {
            folder: PathBuf::from(&config.folder),
            size: config.size.bytes(),
            every: config.every,
            store: Arc::clone(store),
            series: Arc::clone(series),
            intake: Arc::clone(intake),
            clock,
            saved: Mutex::default(),
        };
        (!config.folder.is_empty()).then(|| Arc::new(keeper))
    }

    /// Reads the metrics and log lines that an earlier process has kept. Returns the rest of the work, which is going on: many traces
    /// take seconds, and a service must not wait for them.
    ///
    /// # Errors
    /// The folder cannot be made. Those of the rest: the reading thread panicked.
    pub(crate) async fn restore(
        self: &Arc<Self>,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + 'static> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {folder}"))?;
        let keeper = Arc::clone(self);
        let (at_traces, only_traces_follow) = oneshot::channel();
        let reading = spawn_blocking(move || keeper.load(at_traces));
        // An error means that no trace was kept.
        only_traces_follow.await.ok();
        Ok(async { reading.await.context("restore what was kept") })
    }

    /// Saves again and again.
    pub(crate) async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        loop {
            sleep(self.every).await;
            let keeper = Arc::clone(&self);
            // The disk may be full now and not be in a minute.
            if let Err(error) = spawn_blocking(move || keeper.save()).await? {
                tracing::warn!(
                    folder = %self.folder.display(),
                    error = error.to_string(),
                    "traces, log lines and metrics cannot be kept"
                );
            }
        }
    }

    /// Saves for the last time.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) async fn finish(self: Arc<Self>) -> anyhow::Result<()> {
        let folder = self.folder.display().to_string();
        spawn_blocking(move || self.save()).await?.with_context(|| format!("keep data in {folder}"))
    }

    fn traces(&self) -> PathBuf {
        self.folder.join("traces")
    }

    fn metrics(&self) -> PathBuf {
        self.folder.join("metrics")
    }

    fn load(&self, at_traces: oneshot::Sender<()>) {
        // A save must not replace a file that is being read.
        let _saved = self.saved.lock();
        self.load_metrics();
        let path = self.traces();
        let (mut loader, mut at_traces) = (Loader::new(), Some(at_traces));
        let read = file::read(&path, &what("traces"), self.size, |kind, contents| {
            let part = part_of(kind)?;
            if part == Part::Traces {
                // An error means that the start was given up.
                at_traces.take().map(|at_traces| at_traces.send(()));
            }
            self.intake.restore(&loader.read(part, contents));
            Ok(())
        });
        report(&path, read);
    }

    fn load_metrics(&self) {
        let path = self.metrics();
        let now_ms = self.clock.now_ms();
        // The metrics of a recorded run were read after the last point that its end was taken from, and nothing follows them.
        let latest_ms = if self.clock.is_fixed() { i64::MAX } else { now_ms };
        let read = file::read(&path, &what("metrics"), self.size, |kind, contents| match kind {
            METRICS => {
                let restored = self.series.restore(contents, now_ms, latest_ms);
                restored.map_err(|error| Error::Metrics(error.0))
            }
            other => Err(Error::Kind(other)),
        });
        report(&path, read);
    }

    /// Saves what there is, unless the time stands: a recorded run does not change.
    fn save(&self) -> io::Result<()> {
        if self.clock.is_fixed() {
            return Ok(());
        }
        let mut saved = self.saved.lock();
        let metrics = self.save_metrics()?;
        self.save_traces(self.size.saturating_sub(metrics), &mut saved)
    }

    /// Writes the metrics; returns their size.
    fn save_metrics(&self) -> io::Result<usize> {
        let metrics = self.series.snapshot();
        let (bytes, most) = (metrics.len(), self.size / 2);
        if bytes > most {
            let error = format!("they have {bytes} bytes, more than half of `keep.size`: {most}");
            tracing::warn!(error, "metrics are not kept");
            return Ok(0);
        }
        let mut writer = Writer::create(&self.metrics(), &what("metrics"))?;
        writer.part(METRICS, &metrics)?;
        writer.finish()
    }

    /// Writes the traces and log lines, unless they are in the file already.
    fn save_traces(&self, most: usize, saved: &mut Option<u64>) -> io::Result<()> {
        let revision = self.store.revision();
        if *saved == Some(revision) {
            return Ok(());
        }
        let mut writer = Writer::create(&self.traces(), &what("traces"))?;
        self.store.dump(most, |part, contents| writer.part(kind_of(part), contents))?;
        writer.finish()?;
        *saved = Some(revision);
        Ok(())
    }
}

/// The kind of the one part of the file with the metrics.
const METRICS: u8 = 1;

/// The file with the metrics, to be handed to another lens.
pub(crate) fn metrics_file(series: &timeseries::Store) -> Vec<u8> {
    // A snapshot is a few megabytes; only one of 4 GiB would be an error.
    file::of_one_part(&what("metrics"), METRICS, &series.snapshot()).unwrap_or_default()
}

/// The first line of a file.
fn what(of: &str) -> String {
    format!("{of} of lens, version {VERSION}\n")
}

fn kind_of(part: Part) -> u8 {
    match part {
        Part::Words => 1,
        Part::Traces => 2,
        Part::Lines => 3,
    }
}

fn part_of(kind: u8) -> Result<Part, Error> {
    match kind {
        1 => Ok(Part::Words),
        2 => Ok(Part::Traces),
        3 => Ok(Part::Lines),
        other => Err(Error::Kind(other)),
    }
}

fn report(path: &Path, read: Result<(), Error>) {
    if let Err(error) = read {
        tracing::warn!(
            file = %path.display(),
            error = error.to_string(),
            "what was kept of the last run cannot be read and will be overwritten"
        );
    }
}
