//! Questions at the controlling terminal.
//!
//! Promises: only while our process group is the terminal's foreground group, so that a background job
//! never reads what is typed for another program; echo is off before the question appears and is
//! restored on every way out that a process can see, with everything half-typed thrown away.

use super::{Answer, LIMIT, Question, cancelled, return_confirms, trimmed, yes};
use crate::harden;
use rustix::fs::{Mode, OFlags};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use signet_protocol::{Code, PromptKind, Refusal};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use tokio::io::unix::AsyncFd;
use zeroize::Zeroizing;

const TERMINAL: &str = "/dev/tty";

/// Whether there is a terminal and we are in its foreground.
pub(super) fn in_foreground() -> bool {
    screen().is_ok_and(|tty| tcgetpgrp(&tty).is_ok_and(|group| group == rustix::process::getpgrp()))
}

/// Writes to the terminal. What cannot be shown is not worth ending a use for: the agent's limits
/// hold without it.
pub(super) fn print(text: &str) {
    let _ = screen().and_then(|mut tty| tty.write_all(text.as_bytes()));
}

/// How many characters fit in a line that is written over itself.
pub(super) fn width() -> usize {
    let columns =
        screen().ok().and_then(|tty| rustix::termios::tcgetwinsize(&tty).ok()).map(|size| size.ws_col);
    // no size, or none that makes sense: the width of the terminals that had no way to tell
    columns.filter(|&columns| columns > 20).map_or(80, usize::from)
}

/// Asks one question.
pub(super) async fn ask(question: &Question) -> Result<Answer, Refusal> {
    let confirm = question.kind == PromptKind::Confirm;
    let keyboard = keyboard().map_err(|error| failed(&error))?;
    let line = {
        let mut quiet = Quiet::begin(&keyboard, confirm).map_err(|error| failed(&error))?;
        let ending = match (confirm, return_confirms(question)) {
            (true, true) => " ",
            (true, false) => " [y/N] ",
            (false, _) => ": ",
        };
        print(&format!("{}{ending}", question.text));
        let line = read_line(&keyboard).await;
        quiet.line_ended = confirm && matches!(line, Ok(Some(_)));
        line
    };
    let line = line.map_err(|error| failed(&error))?.ok_or_else(cancelled)?;
    if !confirm {
        return trimmed(line);
    }
    let word = line.trim_ascii();
    let agreed = if return_confirms(question) && word.is_empty() {
        true
    } else {
        word.eq_ignore_ascii_case(b"y") || word.eq_ignore_ascii_case(b"yes")
    };
    if agreed { Ok(yes()) } else { Err(cancelled()) }
}

/// The terminal for writing.
fn screen() -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY).open(TERMINAL)
}

/// The terminal for reading: a description of its own, so that not blocking on it changes nobody else's.
fn keyboard() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    harden::watched(rustix::fs::open(TERMINAL, flags, Mode::empty())?)
}

/// The terminal's settings while a question stands.
struct Quiet<'a> {
    keyboard: &'a AsyncFd<OwnedFd>,
    before: Termios,
    /// Whether the line end that was typed has been echoed.
    line_ended: bool,
}

impl<'a> Quiet<'a> {
    /// Turns echo off (left on for a yes or no, which is no secret) and drops what was typed before.
    /// Suspending is off too: a stopped process could not give the echo back.
    fn begin(keyboard: &'a AsyncFd<OwnedFd>, echo: bool) -> io::Result<Self> {
        let before = tcgetattr(keyboard.get_ref())?;
        let mut now = before.clone();
        now.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        now.local_modes.set(LocalModes::ECHO, echo);
        now.local_modes.remove(LocalModes::ECHONL);
        // zero is _POSIX_VDISABLE on Linux
        now.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let quiet = Self { keyboard, before, line_ended: false };
        tcsetattr(keyboard.get_ref(), OptionalActions::Flush, &now)?;
        Ok(quiet)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // a terminal that is gone needs no echo
        let _ = tcsetattr(self.keyboard.get_ref(), OptionalActions::Flush, &self.before);
        if !self.line_ended {
            print("\n");
        }
    }
}

/// One line with its end; `None` at end of file.
async fn read_line(keyboard: &AsyncFd<OwnedFd>) -> io::Result<Option<Answer>> {
    // room for everything from the start: growing would leave a copy behind
    let mut line = Zeroizing::new(Vec::with_capacity(2 * LIMIT));
    let mut buffer = Zeroizing::new([0_u8; LIMIT]);
    loop {
        let mut ready = keyboard.readable().await?;
        let read =
            ready.try_io(|fd| rustix::io::read(fd.get_ref(), buffer.as_mut_slice()).map_err(io::Error::from));
        let Ok(read) = read else { continue };
        let got = buffer.get(..read?).unwrap_or_default();
        if got.is_empty() {
            return Ok(None);
        }
        line.extend_from_slice(got);
        if line.last() == Some(&b'\n') {
            return Ok(Some(line));
        }
        if line.len() > LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the answer is too long"));
        }
    }
}

fn failed(error: &io::Error) -> Refusal {
    Refusal::bare(Code::NoPrompt, format!("the terminal cannot be asked: {error}"))
}
