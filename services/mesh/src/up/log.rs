//! The mesh's common log on standard output.
//!
//! A thread of its own writes it: a terminal that is paused must not stop the brokers that live in this process. What it cannot
//! take in time is left out, and counted.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::line::{Level, Line};
use crate::output;

/// Lines that may wait for the terminal: a few screens.
const QUEUE: usize = 1024;

/// The supervisor's own name in the log.
pub(super) const SUPERVISOR: &str = "mesh";

/// Takes lines from everybody.
#[derive(Clone)]
pub(crate) struct Log(Arc<Inner>);

struct Inner {
    queue: SyncSender<Option<String>>,
    left_out: AtomicU64,
    colours: bool,
    verbose: bool,
}

/// Ends the log.
pub(super) struct Writer {
    queue: SyncSender<Option<String>>,
    thread: thread::JoinHandle<()>,
}

impl Log {
    /// Opens the log; with `verbose` it shows every line.
    pub(super) fn open(colours: bool, verbose: bool) -> io::Result<(Self, Writer)> {
        let (queue, lines) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name("log".into()).spawn(move || write(&lines))?;
        let inner = Inner { queue: queue.clone(), left_out: AtomicU64::new(0), colours, verbose };
        Ok((Self(Arc::new(inner)), Writer { queue, thread }))
    }

    /// Whether somebody wants to see every line.
    pub(super) fn is_verbose(&self) -> bool {
        self.0.verbose
    }

    /// The supervisor says something about a process.
    pub(crate) fn say(&self, process: &str, level: Level, message: impl Into<String>) {
        self.put(&Line::new(process, level, message));
    }

    /// Shows a line, if it is one of those that are shown.
    pub(super) fn put(&self, line: &Line) {
        if self.0.verbose || line.lifecycle || line.level >= Level::Warn {
            self.plain(line.render(self.0.colours));
        }
    }

    /// Shows text that is no line of the log.
    pub(super) fn plain(&self, text: String) {
        let left_out = self.0.left_out.swap(0, Relaxed);
        let text = if left_out > 0 { format!("({left_out} lines left out)\n{text}") } else { text };
        if self.0.queue.try_send(Some(text)).is_err() {
            self.0.left_out.fetch_add(left_out + 1, Relaxed);
        }
    }

    /// Lets the parts that live in this process speak through `tracing`.
    pub(super) fn listen(&self) {
        // Fails if somebody listens already, and then it is told there.
        tracing::subscriber::set_global_default(Own(self.clone())).ok();
    }
}

impl Writer {
    /// Waits until everything was written.
    pub(super) fn finish(self) {
        self.queue.send(None).ok();
        self.thread.join().ok();
    }
}

fn write(lines: &Receiver<Option<String>>) {
    for line in lines.iter().map_while(|line| line) {
        // A terminal that has gone away is no reason to stop reading; the exit status tells of a full disk.
        output::raw(line);
    }
}

/// What the embedded brokers have to say.
struct Own(Log);

impl Subscriber for Own {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= tracing::Level::WARN
            && metadata.target().starts_with("mesh_cli")
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let level = if *event.metadata().level() == tracing::Level::ERROR {
            Level::Error
        } else {
            Level::Warn
        };
        let mut line = Line::new(SUPERVISOR, level, "");
        event.record(&mut Fields(&mut line));
        self.0.put(&line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Fields<'a>(&'a mut Line);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.0.message = value,
            name => self.0.fields.push((name.to_owned(), value)),
        }
    }
}
