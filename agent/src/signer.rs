//! The children: started, talked to, and killed on every way out.
//!
//! Promises: a child has an empty environment, two pipes, and no other descriptor of ours; it is
//! found beside this program or in `../libexec/signet`, never by a path from outside; what it says is
//! capped and read strictly, and one that breaks the protocol is ended. Dropping a [`Child`] kills
//! it; [`Child::end`] lets it go by itself first, and waits until it is gone. Must not know: what an
//! order means, HTTP, policy.
//!
//! A PC/SC call blocks in C and cannot be cancelled; a child can be killed. That is why no card is
//! ever opened in this process.

#![forbid(unsafe_code)]

use serde::Serialize;
use signet_protocol::child::{CHILD_ARGUMENT, ChildAnswer, ChildKept, ChildStored, Event};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Longest line a child may write: a resealed record of 64 KiB in base64, and its frame.
const LINE_LIMIT: usize = 2 * signet_protocol::MESSAGE_LIMIT;

/// How long a child may take to go by itself: it looks ten times a second, and says one thing to an
/// authenticator.
const GRACE: Duration = Duration::from_millis(800);

/// Which child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// One use of one key.
    Signer,
    /// One act of token management.
    Enrol,
}

impl Program {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Signer => "signet-signer",
            Self::Enrol => "signet-enrol",
        }
    }
}

/// Where the children's programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    signer: PathBuf,
    enrol: PathBuf,
}

impl Programs {
    /// Finds both programs beside this one, or in `../libexec/signet`.
    ///
    /// # Errors
    /// A sentence that names the program that is missing.
    pub fn find() -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|e| format!("cannot tell where this program is: {e}"))?;
        let beside = own.parent().ok_or("this program has no directory")?;
        Ok(Self { signer: find(beside, Program::Signer)?, enrol: find(beside, Program::Enrol)? })
    }

    fn path(&self, program: Program) -> &Path {
        match program {
            Program::Signer => &self.signer,
            Program::Enrol => &self.enrol,
        }
    }
}

fn find(beside: &Path, program: Program) -> Result<PathBuf, String> {
    let name = program.file_name();
    let libexec = beside.parent().map(|up| up.join("libexec/signet").join(name));
    [Some(beside.join(name)), libexec]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not beside signet-agent, nor in ../libexec/signet"))
}

/// Why a conversation with a child broke off.
#[derive(Debug)]
pub enum Broken {
    /// It could not be started, or its pipe failed.
    Io(std::io::Error),
    /// It ended without an outcome.
    Silent,
    /// It said something that is no event, or more than fits.
    Protocol,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "a child could not be talked to: {error}"),
            Self::Silent => f.write_str("a child ended without an outcome"),
            Self::Protocol => f.write_str("a child broke the protocol"),
        }
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// A running child. Killed when dropped.
pub struct Child {
    process: tokio::process::Child,
    orders: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts one.
    ///
    /// # Errors
    /// [`Broken::Io`] when it cannot be started.
    pub fn start(programs: &Programs, program: Program) -> Result<Self, Broken> {
        let mut process = Command::new(programs.path(program))
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(orders), Some(events)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Broken::Protocol);
        };
        Ok(Self { process, orders, events: Lines::new(BufReader::new(events)) })
    }

    /// Gives it its order; once.
    ///
    /// # Errors
    /// [`Broken::Io`] when it does not take it.
    pub async fn order<T: Serialize>(&mut self, order: &T) -> Result<(), Broken> {
        self.say(order).await
    }

    /// Hands an answer on, unopened.
    ///
    /// # Errors
    /// [`Broken::Io`] when it does not take it.
    pub async fn answer(&mut self, answer: &ChildAnswer) -> Result<(), Broken> {
        self.say(answer).await
    }

    /// Tells it that its approval holds.
    ///
    /// # Errors
    /// [`Broken::Io`] when it does not take it.
    pub async fn kept(&mut self, kept: &ChildKept) -> Result<(), Broken> {
        self.say(kept).await
    }

    /// Tells it that its generation is on disk.
    ///
    /// # Errors
    /// [`Broken::Io`] when it does not take it.
    pub async fn stored(&mut self, stored: &ChildStored) -> Result<(), Broken> {
        self.say(stored).await
    }

    async fn say<T: Serialize>(&mut self, message: &T) -> Result<(), Broken> {
        let mut line = serde_json::to_vec(message).map_err(|_| Broken::Protocol)?;
        line.push(b'\n');
        Ok(self.orders.write_all(&line).await?)
    }

    /// The next thing it says. May be dropped and called again without losing anything.
    ///
    /// # Errors
    /// [`Broken`] when it ended, or said something that is no event.
    pub async fn event(&mut self) -> Result<Event, Broken> {
        let line = self.events.next().await?.ok_or(Broken::Silent)?;
        serde_json::from_slice(&line).map_err(|_| Broken::Protocol)
    }

    /// Ends it and waits until it is gone: it hears that nobody listens any more, so that it can take back
    /// what an authenticator blinks for, and is killed where it does not go.
    pub async fn end(self) {
        let Self { mut process, orders, events } = self;
        drop((orders, events));
        if timeout(GRACE, process.wait()).await.is_ok() {
            return;
        }
        // Fails only when the child is gone already: that is what is wanted.
        let _gone = process.start_kill();
        let _reaped = process.wait().await;
    }
}

/// Lines of at most [`LINE_LIMIT`] bytes. What was read of an unfinished line stays here, so that
/// [`Lines::next`] can be dropped at any time.
struct Lines<R> {
    from: R,
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    fn new(from: R) -> Self {
        Self { from, line: Vec::new() }
    }

    /// The next line without its LF; `None` at the end. An unfinished last line is no line.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            let bytes = self.from.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            if self.line.len() + part.len() > LINE_LIMIT {
                return Err(Broken::Protocol);
            }
            self.line.extend_from_slice(part);
            let taken = part.len() + usize::from(end.is_some());
            self.from.consume(taken);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_whole_capped_and_survive_being_dropped() {
        let mut lines = Lines::new(&b"one\n\ntwo\nthr"[..]);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"two");
        assert_eq!(lines.next().await.unwrap(), None, "an unfinished line is no line");

        let long = vec![b'x'; LINE_LIMIT + 1];
        assert!(matches!(Lines::new(&long[..]).next().await, Err(Broken::Protocol)));

        let (near, mut far) = tokio::io::duplex(64);
        let mut lines = Lines::new(BufReader::new(near));
        far.write_all(b"half").await.unwrap();
        tokio::select! {
            biased;
            _ = lines.next() => unreachable!("no line is finished"),
            () = tokio::task::yield_now() => {}
        }
        far.write_all(b" and half\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), b"half and half");
    }

    /// A program that is no signer stands in for one.
    fn played_by(program: &str) -> Programs {
        Programs { signer: PathBuf::from(program), enrol: PathBuf::from(program) }
    }

    #[tokio::test]
    async fn a_child_that_says_nothing_or_nonsense_is_broken() {
        let mut silent = Child::start(&played_by("/bin/true"), Program::Signer).unwrap();
        assert!(matches!(silent.event().await, Err(Broken::Silent)));
        silent.end().await;

        let mut echo = Child::start(&played_by("/bin/echo"), Program::Enrol).unwrap();
        assert!(matches!(echo.event().await, Err(Broken::Protocol)), "its own argument is no event");
        echo.end().await;

        assert!(matches!(Child::start(&played_by("/nonexistent"), Program::Signer), Err(Broken::Io(_))));
    }

    #[tokio::test]
    async fn an_ended_child_is_gone() {
        let mut stuck = Command::new("/bin/sleep");
        stuck.arg("600").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = stuck.spawn().unwrap();
        let pid = process.id().unwrap();
        let (orders, events) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let child = Child { process, orders, events: Lines::new(BufReader::new(events)) };
        child.end().await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
