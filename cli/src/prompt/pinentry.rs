//! Questions through a pinentry, by the Assuan protocol (pinentry manual, chapter 3).
//!
//! Promises: only a program by absolute path that root owns and nobody else may write; it gets the
//! environment it needs to find the screen and nothing else; lines are capped, a question ends after
//! a minute, and everything but a plain answer is a no.

use super::{Answer, LIMIT, Question, cancelled, no_prompt, trimmed, yes};
use serde::Deserialize;
use signet_protocol::{Code, PromptKind, Refusal};
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Where pinentries are when the configuration names none.
const USUAL: [&str; 4] = [
    "/usr/bin/pinentry",
    "/usr/local/bin/pinentry",
    "/opt/homebrew/bin/pinentry-mac",
    "/usr/bin/pinentry-curses",
];

/// What a pinentry needs to find the screen.
const ENVIRONMENT: [&str; 10] = [
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "XDG_CURRENT_DESKTOP",
    "HOME",
    "LANG",
    "LC_ALL",
];

/// How long a question stands.
const PATIENCE: Duration = Duration::from_secs(60);

/// GPG_ERR_CANCELED and GPG_ERR_NOT_CONFIRMED (libgpg-error, err-codes.h), in the low 16 bits.
const CANCELLED: [u32; 2] = [99, 114];

/// `~/.config/signet/cli.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    prompt: PromptSettings,
}

/// `[prompt]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptSettings {
    pinentry: Option<PathBuf>,
}

/// The pinentry in force; the error says what is wrong with the one that was configured.
pub(super) fn find() -> Result<Option<PathBuf>, &'static str> {
    match configured()? {
        Some(path) if trusted(&path) => Ok(Some(path)),
        Some(_) => Err("the pinentry of cli.toml is not an absolute path to a program that root owns"),
        None => Ok(USUAL.iter().map(PathBuf::from).find(|path| trusted(path))),
    }
}

fn configured() -> Result<Option<PathBuf>, &'static str> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let Some(dir) = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
    else {
        return Ok(None);
    };
    match fs::read_to_string(dir.join("signet/cli.toml")) {
        Ok(text) => toml::from_str::<Settings>(&text)
            .map(|settings| settings.prompt.pinentry)
            .map_err(|_| "cli.toml is not understood"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err("cli.toml cannot be read"),
    }
}

/// Whether root owns the program, and only root may write it.
fn trusted(path: &Path) -> bool {
    path.is_absolute()
        && fs::metadata(path).is_ok_and(|meta| {
            meta.is_file() && meta.uid() == 0 && meta.mode() & 0o022 == 0 && meta.mode() & 0o111 != 0
        })
}

/// Asks one question.
pub(super) async fn ask(path: &Path, question: &Question) -> Result<Answer, Refusal> {
    match timeout(PATIENCE, converse(path, question)).await {
        Ok(answer) => answer,
        Err(_) => Err(cancelled()),
    }
}

/// Shows a notice; the child is ended by who holds it.
pub(super) fn notice(path: &Path, text: &str) -> io::Result<Child> {
    let mut child = start(path)?;
    // The pipe holds these few lines before the program reads them. It stays open inside `child`;
    // the replies are not read: there is nothing to learn from them.
    let commands = format!("SETTITLE Signet\nSETDESC {}\nMESSAGE\n", encode(text));
    match child.stdin.take().map(ChildStdin::into_owned_fd) {
        Some(Ok(pipe)) => {
            let written = rustix::io::write(&pipe, commands.as_bytes());
            written?;
            child.stdin = ChildStdin::from_std(pipe.into()).ok();
        }
        Some(Err(error)) => return Err(error),
        None => {}
    }
    Ok(child)
}

async fn converse(path: &Path, question: &Question) -> Result<Answer, Refusal> {
    let mut child = start(path).map_err(|error| broken(path, &error))?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(no_prompt("the pinentry has no pipes"));
    };
    let mut talk = Assuan { stdin, stdout, pending: Zeroizing::new(Vec::with_capacity(4 * LIMIT)) };
    talk.reply().await?;
    talk.say("SETTITLE Signet").await?;
    talk.say(&format!("SETDESC {}", encode(&question.whole()))).await?;
    if question.kind == PromptKind::Confirm {
        talk.say("CONFIRM").await?;
        return Ok(yes());
    }
    talk.say("SETPROMPT Answer:").await?;
    trimmed(talk.say("GETPIN").await?)
}

fn start(path: &Path) -> io::Result<Child> {
    let kept = ENVIRONMENT.iter().filter_map(|&name| env::var_os(name).map(|value| (name, value)));
    Command::new(path)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// The conversation with a pinentry.
struct Assuan {
    stdin: ChildStdin,
    stdout: ChildStdout,
    pending: Answer,
}

impl Assuan {
    /// Says a command and gives what came with its `OK`.
    async fn say(&mut self, command: &str) -> Result<Answer, Refusal> {
        let line = format!("{command}\n");
        self.stdin.write_all(line.as_bytes()).await.map_err(|_| no_prompt("the pinentry went away"))?;
        self.reply().await
    }

    /// Reads up to `OK` or `ERR`; data lines are the answer.
    async fn reply(&mut self) -> Result<Answer, Refusal> {
        let mut data = Zeroizing::new(Vec::with_capacity(2 * LIMIT));
        loop {
            let line = self.line().await?;
            if let Some(more) = line.strip_prefix(b"D ") {
                let more =
                    decode(more).ok_or_else(|| no_prompt("the pinentry's answer is not understood"))?;
                data.extend_from_slice(&more);
                if data.len() > LIMIT {
                    return Err(no_prompt("the answer is too long"));
                }
            } else if *line == *b"OK" || line.starts_with(b"OK ") {
                return Ok(data);
            } else if let Some(error) = line.strip_prefix(b"ERR ") {
                return Err(refused(error));
            }
            // comments (`#`) and status lines (`S`) say nothing that is needed here
        }
    }

    /// One line without its LF.
    async fn line(&mut self) -> Result<Answer, Refusal> {
        let mut buffer = Zeroizing::new([0_u8; LIMIT]);
        loop {
            if let Some(end) = self.pending.iter().position(|&b| b == b'\n') {
                let line = Zeroizing::new(self.pending.drain(..=end).take(end).collect());
                return Ok(line);
            }
            if self.pending.len() > 2 * LIMIT {
                return Err(no_prompt("a line of the pinentry is too long"));
            }
            let count = self.stdout.read(buffer.as_mut_slice()).await.unwrap_or(0);
            match buffer.get(..count) {
                None | Some([]) => return Err(no_prompt("the pinentry went away")),
                Some(got) => self.pending.extend_from_slice(got),
            }
        }
    }
}

/// What an `ERR` line means: the person said no, or nobody could be asked.
fn refused(error: &[u8]) -> Refusal {
    let code = error
        .split(|&b| b == b' ')
        .next()
        .and_then(|number| std::str::from_utf8(number).ok())
        .and_then(|number| number.parse::<u32>().ok())
        .map(|number| number & 0xffff);
    if code.is_some_and(|code| CANCELLED.contains(&code)) {
        cancelled()
    } else {
        no_prompt("the pinentry cannot ask here")
    }
}

/// Percent-encodes what would end a line or start an escape.
fn encode(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Percent-decodes a data line.
fn decode(line: &[u8]) -> Option<Answer> {
    let mut out = Zeroizing::new(Vec::with_capacity(line.len()));
    let mut bytes = line.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(*bytes.next()?).to_digit(16)?;
            let low = char::from(*bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

fn broken(path: &Path, error: &io::Error) -> Refusal {
    Refusal::bare(Code::NoPrompt, format!("pinentry {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_broken_escape_is_no_answer() {
        for line in ["%", "%2", "%zz", "ab%"] {
            assert!(decode(line.as_bytes()).is_none(), "{line}");
        }
        assert_eq!(**decode(b"12%2534%0A").unwrap(), *b"12%34\n");
    }

    #[test]
    fn a_question_stays_in_its_line() {
        assert_eq!(encode("100 %\r\nBYE"), "100 %25%0D%0ABYE");
    }

    #[test]
    fn a_no_is_told_from_a_missing_screen() {
        assert_eq!(refused(b"83886179 Operation cancelled <Pinentry>").code, Code::Interrupted);
        assert_eq!(refused(b"83886194 Not confirmed <Pinentry>").code, Code::Interrupted);
        assert_eq!(refused(b"83918950 Inappropriate ioctl for device <Pinentry>").code, Code::NoPrompt);
        assert_eq!(refused(b"").code, Code::NoPrompt);
    }
}
