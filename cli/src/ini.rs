//! The configuration and credentials files of the AWS tools, as bytes that stay what they are.
//!
//! Promises: a file is cut into lines and put together again byte for byte; an edit touches the lines
//! that it names and no others. Reads what botocore reads (Python's configparser, not strict): a line
//! that begins with white space continues the one before, `#` and `;` begin a comment, a section may
//! stand more than once. Secrets may stand in these files: the bytes are wiped, and a value is lent
//! out, not copied.

pub(crate) mod files;

use std::ops::Range;
use zeroize::Zeroizing;

/// A file.
pub(crate) struct Ini {
    bytes: Zeroizing<Vec<u8>>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its key, in lower case.
    pub(crate) key: String,
    /// Number of its line, from 1.
    pub(crate) line: usize,
    /// The bytes of its lines, continuations and last line end counted.
    pub(crate) lines: Range<usize>,
    /// The bytes of its value in its first line, trimmed.
    pub(crate) value: Range<usize>,
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// What stands between the brackets, trimmed.
    pub(crate) title: String,
    /// The bytes of its first line.
    pub(crate) head: Range<usize>,
    /// Where it ends: the next section begins there, or the file ends.
    pub(crate) end: usize,
    /// Its settings.
    pub(crate) settings: Vec<Setting>,
}

impl Section {
    /// The name of the profile of this section in the configuration file: `[profile NAME]`, or
    /// `[default]`.
    pub(crate) fn profile(&self) -> Option<&str> {
        if self.title == "default" {
            return Some("default");
        }
        let rest = self.title.strip_prefix("profile")?;
        let name = rest.strip_prefix([' ', '\t'])?.trim();
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        Some(bare.unwrap_or(name))
    }
}

impl Ini {
    /// Takes the bytes of a file.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A part of the bytes.
    pub(crate) fn get(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// The line end in use: that of the first line.
    pub(crate) fn line_end(&self) -> &'static str {
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        let before = end.and_then(|end| end.checked_sub(1)).and_then(|at| self.bytes.get(at));
        if before == Some(&b'\r') { "\r\n" } else { "\n" }
    }

    /// Puts `text` where `range` is.
    pub(crate) fn replace(&mut self, range: &Range<usize>, text: &[u8]) {
        let length = self.bytes.len();
        let (start, end) = (range.start.min(length), range.end.min(length).max(range.start.min(length)));
        let mut out = Zeroizing::new(Vec::with_capacity(length + text.len()));
        out.extend_from_slice(self.get(&(0..start)));
        out.extend_from_slice(text);
        out.extend_from_slice(self.get(&(end..length)));
        self.bytes = out;
    }

    /// The sections, in order. Lines before the first one belong to none.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        let mut start = 0;
        for (number, line) in self.bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let here = start..start + line.len();
            start = here.end;
            // a byte order mark may stand before the first line
            let text = if number == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
            let trimmed = text.trim_ascii();
            let indented = text.first().is_some_and(u8::is_ascii_whitespace);
            if trimmed.is_empty() || trimmed.starts_with(b"#") || trimmed.starts_with(b";") {
                extend(&mut sections, here.end);
            } else if let Some(title) = title(trimmed).filter(|_| !indented) {
                sections.push(Section { title, head: here.clone(), end: here.end, settings: Vec::new() });
            } else {
                extend(&mut sections, here.end);
                let Some(section) = sections.last_mut() else { continue };
                match section.settings.last_mut() {
                    Some(last) if indented => last.lines.end = here.end,
                    Some(_) | None => section.settings.extend(setting(line, number + 1, here)),
                }
            }
        }
        sections
    }
}

fn extend(sections: &mut [Section], end: usize) {
    if let Some(section) = sections.last_mut() {
        section.end = end;
    }
}

/// What stands between the brackets.
fn title(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(b"[")?;
    let end = rest.iter().position(|byte| *byte == b']')?;
    Some(String::from_utf8_lossy(rest.get(..end)?.trim_ascii()).into_owned())
}

/// `key = value` or `key: value`.
fn setting(line: &[u8], number: usize, lines: Range<usize>) -> Option<Setting> {
    let at = line.iter().position(|byte| matches!(byte, b'=' | b':'))?;
    let key = String::from_utf8_lossy(line.get(..at)?.trim_ascii()).to_lowercase();
    let value = line.get(at + 1..)?;
    let before = value.len() - value.trim_ascii_start().len();
    let begin = lines.start + at + 1 + before;
    Some(Setting { key, line: number, value: begin..begin + value.trim_ascii().len(), lines })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn ini(text: &str) -> Ini {
        Ini::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    const FILE: &str = "\u{feff}# head\n\n[default]\nregion=eu-west-1\n[profile a]\r\nS3 =\n  addressing_style = path\n\n; c\nsso_session : x\n[ profile \"b c\" ]\nx = y = z";

    #[test]
    fn sections_and_settings_are_found() {
        let file = ini(FILE);
        let sections = file.sections();
        let titles: Vec<_> = sections.iter().map(|section| section.profile().unwrap()).collect();
        assert_eq!(titles, ["default", "a", "b c"]);
        let keys: Vec<_> = sections[1].settings.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["s3", "sso_session"]);
        assert_eq!(file.get(&sections[1].settings[0].lines), b"S3 =\n  addressing_style = path\n");
        assert_eq!(file.get(&sections[1].settings[1].value), b"x");
        assert_eq!(sections[1].settings[1].line, 10);
        assert_eq!(file.get(&sections[2].settings[0].value), b"y = z");
        assert_eq!(sections[2].end, FILE.len());
    }

    #[test]
    fn the_sections_cover_the_file_without_a_gap() {
        let file = ini(FILE);
        let sections = file.sections();
        for pair in sections.windows(2) {
            assert_eq!(pair[0].end, pair[1].head.start);
        }
    }

    #[test]
    fn a_replacement_changes_nothing_else() {
        let mut file = ini("a\nb\nc\n");
        file.replace(&(2..4), b"BB\n");
        assert_eq!(file.bytes(), b"a\nBB\nc\n");
        file.replace(&(100..200), b"d\n");
        assert_eq!(file.bytes(), b"a\nBB\nc\nd\n");
    }

    #[test]
    fn odd_files_do_no_harm() {
        for text in ["", "\n", "[", "[]", "[a", "=", "  x = y", "a = b\n[c]\n= d\n:", "\u{feff}", "[a]]\n"] {
            let file = ini(text);
            drop(file.sections());
            assert_eq!(file.bytes(), text.as_bytes());
        }
    }
}
