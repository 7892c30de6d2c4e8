//! The one place that prints: answers to standard output, complaints to standard error.
//!
//! Much of what is printed was written by others: keys, headers, names of spans, texts of errors. Nothing of it reaches the terminal
//! as a command: every text is escaped here once more, whatever its author has done before.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
    process::ExitCode,
};

use chassis::text::{allows_colours, is_dumb, is_visible, printable, printable_json};
use comfy_table::presets;
use parking_lot::Mutex;
use serde::Serialize;

/// Why standard output could not be written: the first error.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// One line of an answer, or several.
pub(crate) fn line(text: impl Display) {
    raw(escaped(&text.to_string()));
}

/// A line that holds colours of ours, or a file for another program; nothing foreign.
pub(crate) fn raw(text: impl Display) {
    let mut out = io::stdout().lock();
    note(writeln!(out, "{text}"));
}

/// Remembers that standard output does not take what is written.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(error) = written {
        FAILED.lock().get_or_insert(error);
    }
}

/// Whether nothing that is printed from now on arrives.
pub(crate) fn is_closed() -> bool {
    FAILED.lock().is_some()
}

/// The exit status, once everything was printed: an answer that could not be written is a failure. A reader that has gone away
/// (`| head`) has what it wanted.
pub(crate) fn finish(status: ExitCode) -> ExitCode {
    note(io::stdout().lock().flush());
    match FAILED.lock().take() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            complaint(format_args!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => status,
    }
}

/// What went wrong.
pub(crate) fn complaint(text: impl Display) {
    writeln!(io::stderr().lock(), "mesh: {}", escaped(&text.to_string())).ok();
}

/// An answer for machines. What would act on a terminal is escaped as JSON has it, and so means the same.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    raw(printable_json(serde_json::to_string_pretty(value)?));
    Ok(())
}

/// One answer of many for machines, on a line of its own.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    raw(printable_json(serde_json::to_string(value)?));
    Ok(())
}

/// Lines of text without anything that acts on a terminal.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| character == '\n' || is_visible(character)) {
        return text.into();
    }
    let lines: Vec<_> = text.split('\n').map(|line| printable(line, usize::MAX)).collect();
    lines.join("\n").into()
}

/// A table without lines: easy to read, easy to cut.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        if !header.is_empty() {
            table.set_header(header);
        }
        Self(table)
    }

    /// A row, each cell on one line.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| printable(cell.as_ref(), usize::MAX)));
    }

    /// Its lines, without what pads them on either side.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.0.lines();
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect()
    }

    /// Its lines as one text.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }
}

/// As much of a line as is shown where no terminal limits it.
const LONGEST: usize = 1_000;
/// Less is no terminal that could show anything.
const NARROWEST: usize = 40;

/// How many characters a line with foreign text may have.
pub(crate) fn width() -> usize {
    if !io::stdout().is_terminal() {
        return LONGEST;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { LONGEST } else { columns.max(NARROWEST) }
}

/// Whether colours would be seen and are wanted: <https://no-color.org>, `TERM=dumb`.
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && allows_colours(&environment())
}

/// Whether somebody watches a terminal that can move its cursor.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal() && !is_dumb(&environment())
}

fn environment() -> Vec<(String, String)> {
    chassis::config::Sources::of_process(Vec::new()).environment
}

/// Bytes for people.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_keeps_its_lines_and_nothing_that_acts_on_a_terminal() {
        assert_eq!(escaped("a\nb €"), "a\nb €");
        assert_eq!(escaped("a\n\x1b]0;x\x07\u{9b}2J\r"), "a\n\\u{1b}]0;x\\u{7}\\u{9b}2J\\r");
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        let mut table = Table::new(&["key", "error"]);
        table.row(["o-1\n\x1b[1A", "x"]);
        assert_eq!(table.lines().len(), 2, "{}", table.text());
        assert!(table.text().contains("o-1\\n\\u{1b}[1A"), "{}", table.text());
    }
}
