//! The only place that prints: answers go to standard output, error messages to standard error.
//!
//! Much of what is printed was written by others: keys, headers, names of spans, texts of errors. None of it may reach the
//! terminal as a control sequence, so every text is escaped here, even if its source has escaped it already.

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

/// The first error when writing to standard output.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints an answer of one or more lines.
pub(crate) fn line(text: impl Display) {
    raw(escaped(&text.to_string()));
}

/// Prints a line with our own colours, or a file for another program; it must contain nothing foreign.
pub(crate) fn raw(text: impl Display) {
    let mut out = io::stdout().lock();
    note(writeln!(out, "{text}"));
}

/// Remembers that writing to standard output failed.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(error) = written {
        FAILED.lock().get_or_insert(error);
    }
}

/// Whether standard output has failed, so that further output does not arrive.
pub(crate) fn is_closed() -> bool {
    FAILED.lock().is_some()
}

/// The exit status after all output: an answer that could not be written is a failure. If the reader has closed the pipe (`|
/// head`), it has what it wanted, and that is no failure.
pub(crate) fn finish(status: ExitCode) -> ExitCode {
    note(io::stdout().lock().flush());
    match FAILED.lock().take() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_error(format_args!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => status,
    }
}

/// Prints an error message.
pub(crate) fn print_error(text: impl Display) {
    writeln!(io::stderr().lock(), "mesh: {}", escaped(&text.to_string())).ok();
}

/// Prints an answer as JSON. Characters that would act on a terminal are escaped as JSON allows, so the value stays the same.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    raw(printable_json(serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Prints one of many answers as JSON, on a line of its own.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    raw(printable_json(serde_json::to_string(value)?));
    Ok(())
}

/// Escapes characters that would act on a terminal; keeps line ends.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| character == '\n' || is_visible(character)) {
        return text.into();
    }
    let lines: Vec<_> = text.split('\n').map(|line| printable(line, usize::MAX)).collect();
    lines.join("\n").into()
}

/// A table without borders: easy to read, easy to cut.
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

    /// Adds a row, each cell on one line.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| printable(cell.as_ref(), usize::MAX)));
    }

    /// The lines of the table, without padding on either side.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.0.lines();
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect()
    }

    /// The lines as one text.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }
}

/// The maximum length of a line where no terminal limits it.
const LONGEST: usize = 1_000;
/// The minimum width: a narrower terminal could show nothing.
const NARROWEST: usize = 40;

/// The maximum length of a line with foreign text, in characters.
pub(crate) fn width() -> usize {
    if !io::stdout().is_terminal() {
        return LONGEST;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { LONGEST } else { columns.max(NARROWEST) }
}

/// Whether standard output can show colours and the user wants them: <https://no-color.org>, `TERM=dumb`.
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && allows_colours(&environment())
}

/// Whether standard error is a terminal that can move its cursor.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal() && !is_dumb(&environment())
}

fn environment() -> Vec<(String, String)> {
    chassis::config::Sources::of_process(Vec::new()).environment
}

/// Bytes as text for people.
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
