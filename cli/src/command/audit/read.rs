//! The lines of a copy of the log: a directory with files `NNNNNN.jsonl`.

use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Where the lines of a log stand.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Number of the first line of each file, and its name.
    files: Vec<(u64, String)>,
    /// Whether the last line has no LF.
    pub(super) torn: bool,
}

impl Places {
    /// A line by its number in the whole log: `000002.jsonl:7`, or `line 7` of an agent's answer.
    pub(super) fn name(&self, line: u64) -> String {
        match self.files.iter().rev().find(|(first, _)| *first <= line) {
            Some((first, name)) => format!("{name}:{}", line - first + 1),
            None => format!("line {line}"),
        }
    }
}

/// The lines, file by file, without their LFs.
pub(super) struct Copy {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, BufReader<File>)>,
    read: u64,
    places: Places,
}

impl Copy {
    /// Looks for the files.
    pub(super) fn open(dir: &Path) -> Result<Self, Refusal> {
        let files = files(dir)?;
        if files.is_empty() {
            return Err(failed(dir, "there are no files named NNNNNN.jsonl"));
        }
        Ok(Self { files: files.into_iter(), open: None, read: 0, places: Places::default() })
    }

    /// Where the lines stood that were read.
    pub(super) fn into_places(self) -> Places {
        self.places
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.files.next() else { return Ok(None) };
                let file = File::open(&path).map_err(|error| failed(&path, error))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.places.files.push((self.read + 1, name));
                self.open = Some((path, BufReader::new(file)));
            }
            let Some((path, reader)) = &mut self.open else { continue };
            let mut line = Vec::new();
            // no entry is longer than a message; what is, comes in pieces, none of which is an entry
            let most = u64::try_from(MESSAGE_LIMIT).unwrap_or(u64::MAX);
            let count =
                reader.take(most).read_until(b'\n', &mut line).map_err(|error| failed(path, error))?;
            if count == 0 {
                self.open = None;
                continue;
            }
            self.read += 1;
            self.places.torn = line.pop_if(|last| *last == b'\n').is_none();
            return Ok(Some(line));
        }
    }
}

impl Iterator for Copy {
    type Item = Result<Vec<u8>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_by_its_file() {
        let files = vec![(1, "000001.jsonl".to_owned()), (4, "000002.jsonl".to_owned())];
        let places = Places { files, torn: false };
        assert_eq!(
            [1, 3, 4, 9].map(|line| places.name(line)),
            ["000001.jsonl:1", "000001.jsonl:3", "000002.jsonl:1", "000002.jsonl:6"]
        );
        assert_eq!(Places::default().name(7), "line 7");
    }
}
