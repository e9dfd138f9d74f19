//! What the commands print: results on standard output, talk on standard error.
//!
//! Promises: standard output carries data only, in the format that was asked for; a failure is one
//! document (`-o json`) or two lines of talk. Text from elsewhere is cleaned before a person sees it
//! as text; JSON escapes it. For programs, JSON carries a version; text for people may change.
//!
//! How a command uses it: build a serialisable document and rows, then
//! `output::table(cx.format(), &document, &["name", "kind"], &rows)`; or [`json`] and [`line()`] alone.

use crate::args::Format;
use crate::clean;
use serde::Serialize;
use signet_protocol::refusal::Failure;
use signet_protocol::{Code, Refusal};
use std::io::{self, Write};
use std::process::ExitCode;

/// Where a failure document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureStyle {
    /// On standard output with `-o json`, else as talk.
    Ordinary,
    /// On standard error in any format: standard output belongs to the AWS tools or to the child.
    /// Talk stands in one line, because the SDKs quote the last one.
    Quiet,
}

/// Prints a document as one line of JSON.
pub(crate) fn json<T: Serialize>(document: &T) -> Result<(), Refusal> {
    let mut bytes = serde_json::to_vec(document).map_err(|error| {
        Refusal::bare(Code::Internal, format!("the result cannot be written as json: {error}"))
    })?;
    bytes.push(b'\n');
    bytes_out(&bytes)
}

/// Prints one line of text, cleaned.
pub(crate) fn line(text: &str) -> Result<(), Refusal> {
    bytes_out(format!("{}\n", clean::line(text)).as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn bytes_out(bytes: &[u8]) -> Result<(), Refusal> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Refusal::bare(Code::Internal, format!("standard output: {error}")))
}

/// Prints a result in the format asked for: the document as JSON, the rows under their names as CSV, or
/// the rows as a table for people.
pub(crate) fn table<T: Serialize>(
    format: Format,
    document: &T,
    names: &[&str],
    rows: &[Vec<String>],
) -> Result<(), Refusal> {
    match format {
        Format::Json => json(document),
        Format::Csv => {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let lines: Vec<String> =
                std::iter::once(&names).chain(rows).map(|row| csv_row(row) + "\r\n").collect();
            bytes_out(lines.concat().as_bytes())
        }
        Format::Text => {
            let names: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
            bytes_out(columns(&names, rows).as_bytes())
        }
    }
}

/// Says something to the person at standard error.
pub(crate) fn talk(text: &str) {
    // nobody may be listening there, and the work goes on without
    let _ = writeln!(io::stderr(), "signet: {}", clean::line(text));
}

/// Tells a failure, in the format and the place that belong to the command.
pub(crate) fn failure(refusal: &Refusal, format: Format, style: FailureStyle) {
    let document = || serde_json::to_string(&Failure::from(refusal.clone())).unwrap_or_default();
    match (format, style) {
        // a failure that cannot be printed still ends with its exit code
        (Format::Json, FailureStyle::Ordinary) => drop(writeln!(io::stdout(), "{}", document())),
        (Format::Json, FailureStyle::Quiet) => drop(writeln!(io::stderr(), "{}", document())),
        (Format::Text | Format::Csv, FailureStyle::Ordinary) => {
            talk(&format!("error: {}", described(refusal)));
            if let Some(hint) = &refusal.hint {
                talk(&format!("hint: {hint}"));
            }
        }
        (Format::Text | Format::Csv, FailureStyle::Quiet) => match &refusal.hint {
            Some(hint) => talk(&format!("error: {}; signet: hint: {hint}", described(refusal))),
            None => talk(&format!("error: {}", described(refusal))),
        },
    }
}

/// Tells what a check found, where the document does not, and gives the exit code.
pub(crate) fn verdict(format: Format, found: Option<&Refusal>) -> ExitCode {
    let Some(refusal) = found else { return ExitCode::SUCCESS };
    if format != Format::Json {
        failure(refusal, format, FailureStyle::Ordinary);
    }
    ExitCode::from(refusal.code.exit())
}

/// The message with the numbers that belong to it.
fn described(refusal: &Refusal) -> String {
    let mut text = refusal.message.clone();
    if let Some(left) = refusal.tries_left {
        text += &format!(" ({left} {} left)", if left == 1 { "try" } else { "tries" });
    }
    if let Some(seconds) = refusal.retry_after {
        text += &format!(" (again in {seconds} s)");
    }
    text
}

/// One row of CSV (RFC 4180). What is not known, `-` for people, is empty here; a cell that a
/// spreadsheet would run as a formula is made text.
fn csv_row(cells: &[String]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| {
            let cell = if cell == "-" { "" } else { cell };
            let cell =
                if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() };
            if cell.contains(['"', ',', '\r', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell
            }
        })
        .collect();
    cells.join(",")
}

/// A table with aligned columns, cleaned.
fn columns(names: &[String], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(names)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| row.iter().map(|cell| clean::line(cell)).collect())
        .collect();
    let mut widths = vec![0; names.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        out += cells.join("  ").trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn a_table_never_sends_control_characters_to_the_screen() {
        let text = columns(&cells(&["NAME"]), &[cells(&["a\u{1b}[2Jb\u{202e}c\nd"])]);
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn columns_are_aligned() {
        let text = columns(&cells(&["NAME", "KIND"]), &[cells(&["production", "root"]), cells(&["x", "y"])]);
        assert_eq!(text, "NAME        KIND\nproduction  root\nx           y\n");
    }

    #[test]
    fn csv_is_quoted_and_runs_no_formula() {
        assert_eq!(
            csv_row(&cells(&["a,b", "say \"x\"", "=1+1", "-", "c"])),
            "\"a,b\",\"say \"\"x\"\"\",'=1+1,,c"
        );
    }

    #[test]
    fn numbers_are_told_with_the_message() {
        let refusal = Refusal::bare(Code::PinFailed, "wrong pin").tries(1);
        assert_eq!(described(&refusal), "wrong pin (1 try left)");
        let refusal = Refusal::bare(Code::FactorLocked, "too many codes").after(30);
        assert_eq!(described(&refusal), "too many codes (again in 30 s)");
    }
}
