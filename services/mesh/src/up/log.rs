//! The mesh's common log on standard output.
//!
//! A thread of its own writes it: a terminal that is paused must not stop the brokers in this process. Lines that it cannot take
//! in time are dropped and counted.

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

/// The maximum of lines that wait for the terminal: a few screens.
const QUEUE: usize = 1024;

/// The supervisor's own name in the log.
pub(super) const SUPERVISOR: &str = "mesh";

/// Accepts lines from all parts of the supervisor.
#[derive(Clone)]
pub(crate) struct Log(Arc<Inner>);

struct Inner {
    queue: SyncSender<Option<String>>,
    left_out: AtomicU64,
    colours: bool,
    verbose: bool,
}

/// The end of the log's queue: `finish` ends the log.
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

    /// Whether the user wants to see every line.
    pub(super) fn is_verbose(&self) -> bool {
        self.0.verbose
    }

    /// Logs a message of the supervisor about a process.
    pub(crate) fn say(&self, process: &str, level: Level, message: impl Into<String>) {
        self.put(&Line::new(process, level, message));
    }

    /// Shows a line if it is a warning or an error, is about a process's lifecycle, or the log shows every line.
    pub(super) fn put(&self, line: &Line) {
        if self.0.verbose || line.lifecycle || line.level >= Level::Warn {
            self.plain(line.render(self.0.colours));
        }
    }

    /// Prints text that is not a log line.
    pub(super) fn plain(&self, text: String) {
        let left_out = self.0.left_out.swap(0, Relaxed);
        let text = if left_out > 0 { format!("({left_out} lines left out)\n{text}") } else { text };
        if self.0.queue.try_send(Some(text)).is_err() {
            self.0.left_out.fetch_add(left_out + 1, Relaxed);
        }
    }

    /// Shows `tracing` events of the parts in this process.
    pub(super) fn listen(&self) {
        // This fails if there is a subscriber already, which then gets the events.
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
        // If the terminal is gone, keep reading; the exit status reports a full disk.
        output::raw(line);
    }
}

/// A subscriber for the events of the embedded brokers.
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
