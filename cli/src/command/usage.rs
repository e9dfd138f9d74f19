//! A command line that was not understood, or that asks for help.

use crate::args::Format;
use crate::output::{self, FailureStyle};
use clap::error::ErrorKind;
use signet_protocol::{Code, Refusal};
use std::ffi::OsString;
use std::process::ExitCode;

/// Prints help or version where they were asked for, else tells the mistake; gives the exit code.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // a reader that went away has seen enough
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            let words: Vec<OsString> = std::env::args_os().skip(1).collect();
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
            let hint = match words.first() {
                Some(command)
                    if command.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                        && !command.starts_with('-') =>
                {
                    format!("signet {command} --help")
                }
                Some(_) | None => "signet --help".to_owned(),
            };
            let refusal = Refusal::new(Code::Usage, message(&error.render().to_string()), hint);
            output::failure(&refusal, format(&words), style(&words));
            ExitCode::from(Code::Usage.exit())
        }
    }
}

/// The parser's sentence as we write them: what is wrong, in one line, lower case, no full stop.
fn message(rendered: &str) -> String {
    let body = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let paragraph: Vec<&str> = body
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.is_empty())
        .collect();
    let text = paragraph.join(" ");
    if body.starts_with(char::is_alphabetic) && !body.starts_with("Usage") && !text.is_empty() {
        text
    } else {
        "a command is missing".to_owned()
    }
}

/// The format that was asked for, as far as it can be read out of a line that was not understood.
fn format(words: &[&str]) -> Format {
    let asked = words.iter().enumerate().any(|(at, &word)| {
        matches!(word, "-ojson" | "-o=json" | "--format=json")
            || (matches!(word, "-o" | "--format") && words.get(at + 1) == Some(&"json"))
    });
    if asked { Format::Json } else { Format::Text }
}

/// Where the mistake is told.
fn style(words: &[&str]) -> FailureStyle {
    if words.iter().any(|&word| matches!(word, "credential-process" | "exec")) {
        FailureStyle::Quiet
    } else {
        FailureStyle::Ordinary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let text = "error: the following required arguments were not provided:\n  --kind <KIND>\n  <NAME>\n\nUsage: signet add …";
        assert_eq!(message(text), "the following required arguments were not provided: --kind <KIND> <NAME>");
        assert_eq!(message("Keeps keys\n\nUsage: signet"), "Keeps keys");
        assert_eq!(message(""), "a command is missing");
    }

    #[test]
    fn the_format_is_read_from_what_was_typed() {
        assert_eq!(format(&["list", "-o", "json", "--nope"]), Format::Json);
        assert_eq!(format(&["list", "--format=json"]), Format::Json);
        assert_eq!(format(&["json"]), Format::Text);
    }
}
