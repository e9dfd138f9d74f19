//! The lines of the log, from the agent or from a directory that holds a copy of its files.

use crate::context::Context;
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Hands over each line with its place (`000001.jsonl:7`); a line of a copy keeps its LF, so that a
/// torn one can be told.
pub(super) fn lines(
    cx: &Context,
    dir: Option<&Path>,
    mut each: impl FnMut(String, &[u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if let Some(dir) = dir {
        return copied(dir, each);
    }
    let mut number = 0_u64;
    cx.lines("/v1/audit", |line| {
        number += 1;
        each(format!("line {number}"), &[line, b"\n"].concat())
    })
}

fn copied(dir: &Path, mut each: impl FnMut(String, &[u8]) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let files = files(dir)?;
    if files.is_empty() {
        return Err(failed(dir, "there are no files named NNNNNN.jsonl"));
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut reader = BufReader::new(File::open(&file).map_err(|error| failed(&file, error))?);
        let mut number = 0_u64;
        loop {
            let mut line = Vec::new();
            let most = MESSAGE_LIMIT as u64;
            let mut capped = reader.by_ref().take(most);
            if capped.read_until(b'\n', &mut line).map_err(|error| failed(&file, error))? == 0 {
                break;
            }
            number += 1;
            each(format!("{name}:{number}"), &line)?;
        }
    }
    Ok(())
}

/// `NNNNNN.jsonl`, in order.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| failed(dir, error))? {
        let path = entry.map_err(|error| failed(dir, error))?.path();
        let digits = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let numbered = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if numbered && path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    // by number: a longer name is a later file
    files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(files)
}

fn failed(path: &Path, why: impl std::fmt::Display) -> Refusal {
    Refusal::bare(Code::FailedCheck, format!("{}: {why}", path.display()))
}
