//! Where an access key comes from: a file of the console, a profile of the AWS tools, standard input,
//! or the person. Never an argument, never the environment: others can read both.

use super::csv;
use crate::args::Add;
use crate::context::Context;
use crate::ini::files::{self, Files};
use crate::ini::{Ini, Section};
use signet_protocol::{Code, PromptKind, Refusal};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest standard input: an id, a secret, two line ends, and some room.
const LIMIT: usize = 1024;
/// Longest secret, and longest id: what IAM's API reference allows for an id.
const LONGEST: usize = 128;

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const SESSION: &str = "aws_session_token";

/// An access key in hand.
pub(super) struct AccessKey {
    /// `AKIA…`.
    pub(super) id: String,
    /// The secret, in base64's alphabet.
    pub(super) secret: Zeroizing<Vec<u8>>,
}

impl AccessKey {
    fn new(id: &[u8], secret: &[u8]) -> Result<Self, Refusal> {
        let (id, secret) = (id.trim_ascii(), secret.trim_ascii());
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if id.is_empty() || id.len() > LONGEST || !id.iter().all(word) {
            return Err(bad("what stands for the access key id is not one"));
        }
        if id.starts_with(b"ASIA") {
            return Err(bad("those are session credentials: they expire by themselves and are not kept"));
        }
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        if secret.is_empty() || secret.len() > LONGEST || !secret.iter().all(letter) {
            return Err(bad("what stands for the secret access key is not one"));
        }
        Ok(Self { id: String::from_utf8_lossy(id).into_owned(), secret: Zeroizing::new(secret.to_vec()) })
    }
}

/// Where the key is read from.
pub(super) enum Source {
    /// A file of the console.
    Csv(PathBuf),
    /// A profile of the AWS tools.
    Profile(String),
    /// Standard input: two lines.
    Stdin,
    /// The person.
    Person,
}

impl Source {
    /// What the flags name.
    pub(super) fn of(args: &Add) -> Self {
        match (&args.csv, &args.aws_profile, args.stdin) {
            (Some(file), _, _) => Self::Csv(file.clone()),
            (None, Some(profile), _) => Self::Profile(profile.clone()),
            (None, None, true) => Self::Stdin,
            (None, None, false) => Self::Person,
        }
    }

    /// Reads the key.
    pub(super) fn read(&self, cx: &Context) -> Result<AccessKey, Refusal> {
        match self {
            Self::Csv(file) => {
                let bytes = files::bytes(file).map_err(|error| unreadable(file, &error))?;
                let (id, secret) = csv::read(&bytes).map_err(|why| unreadable(file, &why))?;
                AccessKey::new(id, secret)
            }
            Self::Profile(profile) => from_profile(&Files::find()?, profile),
            Self::Stdin => from_lines(&stdin()?),
            Self::Person => {
                let id = cx.ask(PromptKind::Secret, "access key id")?;
                let secret = cx.ask(PromptKind::Secret, "secret access key")?;
                AccessKey::new(&id, &secret)
            }
        }
    }

    /// The place where the key stands in plain text, if it is one that can be cleared.
    pub(super) fn plain_text(&self) -> Option<String> {
        match self {
            Self::Csv(file) => Some(file.display().to_string()),
            Self::Profile(profile) => Some(format!("profile {profile}")),
            Self::Stdin | Self::Person => None,
        }
    }

    /// Clears that place. The bytes of a removed file may still be on the disk: no program can promise
    /// otherwise on today's disks and file systems.
    pub(super) fn remove(&self) -> Result<(), Refusal> {
        match self {
            Self::Csv(file) => std::fs::remove_file(file).map_err(|error| unreadable(file, &error)),
            Self::Profile(profile) => clear_profile(&Files::find()?, profile),
            Self::Stdin | Self::Person => Ok(()),
        }
    }
}

/// Two lines: id, secret.
fn from_lines(bytes: &[u8]) -> Result<AccessKey, Refusal> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    match (lines.next(), lines.next(), lines.all(<[u8]>::is_empty)) {
        (Some(id), Some(secret), true) => AccessKey::new(id, secret),
        (_, _, _) => Err(bad("standard input has not two lines: the access key id, then the secret")),
    }
}

/// Everything on standard input, read without a buffer that stays behind.
fn stdin() -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut out = Zeroizing::new(Vec::with_capacity(2 * LIMIT));
    let mut buffer = Zeroizing::new([0_u8; LIMIT]);
    loop {
        let count = rustix::io::read(rustix::stdio::stdin(), buffer.as_mut_slice())
            .map_err(|error| bad(&format!("standard input: {error}")))?;
        let got = buffer.get(..count).unwrap_or_default();
        if got.is_empty() {
            return Ok(out);
        }
        out.extend_from_slice(got);
        if out.len() > LIMIT {
            return Err(bad("standard input is longer than an access key"));
        }
    }
}

/// The credentials file first, then the configuration file, as the tools look.
fn from_profile(files: &Files, profile: &str) -> Result<AccessKey, Refusal> {
    let credentials = files::read(&files.credentials)?;
    if let Some(key) = from_sections(&credentials, |section| section.title == profile)? {
        return Ok(key);
    }
    let config = files::read(&files.config)?;
    from_sections(&config, |section| section.profile() == Some(profile))?.ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            format!(
                "profile {profile} has no access key in {} or {}",
                files.credentials.display(),
                files.config.display()
            ),
            "aws configure list-profiles",
        )
    })
}

fn from_sections(ini: &Ini, mine: impl Fn(&Section) -> bool) -> Result<Option<AccessKey>, Refusal> {
    let sections: Vec<Section> = ini.sections().into_iter().filter(mine).collect();
    // a later line wins, as in the tools
    let value = |key: &str| {
        let settings = sections.iter().flat_map(|section| &section.settings);
        settings.rev().find(|setting| setting.key == key).map(|setting| ini.get(&setting.value))
    };
    match (value(ID), value(SECRET)) {
        (Some(_), Some(_)) if value(SESSION).is_some() => Err(bad("the profile holds session credentials")),
        (Some(id), Some(secret)) => AccessKey::new(id, secret).map(Some),
        (None, _) | (_, None) => Ok(None),
    }
}

fn clear_profile(files: &Files, profile: &str) -> Result<(), Refusal> {
    clear_sections(&files.credentials, |section| section.title == profile)?;
    clear_sections(&files.config, |section| section.profile() == Some(profile))
}

fn clear_sections(file: &Path, mine: impl Fn(&Section) -> bool) -> Result<(), Refusal> {
    let mut ini = files::read(file)?;
    let sections = ini.sections().into_iter().filter(mine).flat_map(|section| section.settings);
    let keys: Vec<_> = sections.filter(|setting| [ID, SECRET].contains(&setting.key.as_str())).collect();
    // from the last to the first, so that the places of the others stay true
    for setting in keys.iter().rev() {
        ini.replace(&setting.lines, b"");
    }
    if keys.is_empty() { Ok(()) } else { files::write(file, &ini) }
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> Refusal {
    Refusal::bare(Code::BadRequest, format!("{}: {why}", file.display()))
}

fn bad(why: &str) -> Refusal {
    Refusal::bare(Code::BadRequest, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET_TEXT: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn ini(text: &str) -> Ini {
        Ini::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn what_is_no_access_key_is_refused() {
        let long = "A".repeat(129);
        for (id, secret) in [
            ("", SECRET_TEXT),
            ("AKIA IOSFODNN7EXAMPL", SECRET_TEXT),
            ("ASIAIOSFODNN7EXAMPLE", SECRET_TEXT),
            (long.as_str(), SECRET_TEXT),
            ("AKIAIOSFODNN7EXAMPLE", ""),
            ("AKIAIOSFODNN7EXAMPLE", "with space"),
            ("AKIAIOSFODNN7EXAMPLE", "with\"quote"),
            ("AKIAIOSFODNN7EXAMPLE", "with\\backslash"),
            ("AKIAIOSFODNN7EXAMPLE", long.as_str()),
        ] {
            assert!(AccessKey::new(id.as_bytes(), secret.as_bytes()).is_err(), "{id} {secret}");
        }
    }

    #[test]
    fn two_lines_are_read_and_no_others() {
        let key = from_lines(format!("AKIAIOSFODNN7EXAMPLE\r\n{SECRET_TEXT}\n\n").as_bytes()).unwrap();
        assert_eq!((key.id.as_str(), &**key.secret), ("AKIAIOSFODNN7EXAMPLE", SECRET_TEXT.as_bytes()));
        for text in ["", "AKIAIOSFODNN7EXAMPLE", "\n\n", "AKIAIOSFODNN7EXAMPLE\nabc\nmore\n"] {
            assert!(from_lines(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_profile_is_read_where_the_tools_read_it() {
        let text = format!(
            "[other]\n{ID} = AKIAOTHER\n[mine]\n{ID}=AKIAIOSFODNN7EXAMPLE\n{SECRET} = {SECRET_TEXT}\n"
        );
        let key = from_sections(&ini(&text), |section| section.title == "mine").unwrap().unwrap();
        assert_eq!((key.id.as_str(), &**key.secret), ("AKIAIOSFODNN7EXAMPLE", SECRET_TEXT.as_bytes()));
        assert!(from_sections(&ini(&text), |section| section.title == "other").unwrap().is_none());
        let session = format!("{text}{SESSION} = x\n");
        assert!(from_sections(&ini(&session), |section| section.title == "mine").is_err());
    }

    #[test]
    fn clearing_a_profile_leaves_the_rest() {
        let dir = std::env::temp_dir().join(format!("signet-clear-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("credentials");
        std::fs::write(&file, format!("[a]\n{ID} = x\n# c\n[b]\n{ID} = y\nregion = z\n{SECRET} = w\n"))
            .unwrap();
        clear_sections(&file, |section| section.title == "b").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("[a]\n{ID} = x\n# c\n[b]\nregion = z\n"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
