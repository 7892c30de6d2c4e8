//! The one place that prints: answers to standard output, complaints to standard error.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
};

use comfy_table::{Table, presets};
use serde::Serialize;

/// One line of an answer. A reader that has gone away (`| head`) is no mistake of ours.
pub(crate) fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// What went wrong.
pub(crate) fn complaint(text: impl Display) {
    writeln!(std::io::stderr().lock(), "mesh: {text}").ok();
}

/// An answer for machines.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table without lines: easy to read, easy to cut.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

/// The text of a table, without what pads it on either side.
pub(crate) fn text(table: &Table) -> String {
    let lines =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether colours would be seen and are wanted: <https://no-color.org>.
pub(crate) fn colours() -> bool {
    let environment = chassis::config::Sources::of_process(Vec::new()).environment;
    let unwanted = environment.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    std::io::stdout().is_terminal() && !unwanted
}

/// Whether somebody watches.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Bytes for people.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
